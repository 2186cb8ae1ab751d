import { platform } from "#platform";
import { type Settings, writeSettings } from "./settings.js";

/** Files of a model folder that an adapter needs beside it to be used: those that transformers' Trainer saves too. */
const companionFiles = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "preprocessor_config.json",
] as const;

/** Copies the tokenizer's and the image processor's files. A folder copied onto itself stays as it is. */
export async function copyCompanions(from: string, to: string): Promise<void> {
  if (platform.resolve(from) === platform.resolve(to)) return;
  for (const name of companionFiles) {
    const source = platform.join(from, name);
    if (await platform.exists(source))
      await platform.writeFileAtomic(platform.join(to, name), await platform.readFile(source));
  }
}

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
