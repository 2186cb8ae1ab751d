import type { Processing } from "../../tasks/index.js";
import { type Settings, writeSettings } from "./settings.js";

/** What the Trainer saves beside each adapter: tokenizer, image processor and graft.json. */
export class Companions {
  constructor(
    private readonly processing: Pick<Processing, "save">,
    private readonly settings: Settings,
  ) {}

  async savePretrained(folder: string): Promise<void> {
    await this.processing.save(folder);
    await writeSettings(folder, this.settings);
  }
}
