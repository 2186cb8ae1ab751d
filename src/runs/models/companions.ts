import { copyCompanions } from "../../hub/index.js";
import { type Settings, writeSettings } from "./settings.js";

/** What the Trainer saves beside each adapter: tokenizer, image processor and graft.json. */
export class Companions {
  constructor(
    private readonly source: string,
    private readonly settings: Settings,
  ) {}

  async savePretrained(folder: string): Promise<void> {
    await copyCompanions(this.source, folder);
    await writeSettings(folder, this.settings);
  }
}
