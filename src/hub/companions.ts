import { platform } from "#platform";
import type { ModelFileName } from "./file-names.js";
import type { ModelFiles } from "./model-files.js";
import { outputPath } from "./output.js";
import { resolveFiles } from "./resolve.js";

/** Files of a model that tokenizers and image processors are made from, and how it generates: those that transformers' Trainer saves too. */
export const companionFiles = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.txt",
  "vocab.json",
  "merges.txt",
  "tokenizer.model",
  "spm.model",
  "spiece.model",
  "sentencepiece.bpe.model",
  "chat_template.jinja",
  "preprocessor_config.json",
  "generation_config.json",
] as const satisfies readonly ModelFileName[];

/** Copies the tokenizer's and the image processor's files. A folder copied onto itself stays as it is. */
export async function copyCompanions(from: string | ModelFiles, to: string): Promise<void> {
  const files = typeof from === "string" ? await resolveFiles(from) : from;
  if (platform.resolve(files.origin) === platform.resolve(to)) return;
  for (const name of companionFiles) {
    if (!(await files.has(name))) continue;
    const source = await files.path(name, "what the model reads");
    await platform.writeFileAtomic(outputPath(to, name), await platform.readFile(source));
  }
}
