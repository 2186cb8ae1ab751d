import { platform } from "#platform";

/** Files of a model folder that tokenizers and image processors are made from: those that transformers' Trainer saves too. */
export const companionFiles = [
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
