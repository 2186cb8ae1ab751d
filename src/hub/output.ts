import { platform } from "#platform";
import type { ModelFileName } from "./file-names.js";

/** Where a file of a model, adapter, tokenizer or processor is written. */
export function outputPath(folder: string, name: ModelFileName): string {
  return platform.join(folder, ...name.split("/"));
}

/** The folder of a named adapter beside the default one. */
export function subfolder(folder: string, name: string): string {
  return platform.join(folder, name);
}
