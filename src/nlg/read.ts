import { GraftError } from "../errors.js";
import type { Example } from "./example.js";

const lines = (text: string): string[] => text.replace(/\s+$/, "").split(/\r?\n/);

/**
 * Outputs, one on a line, with their references: in one file, those of an output in a block with an empty line between blocks (the E2E
 * challenge's form) or one on a line; or in several files, line by line (WebNLG's form), where empty lines are no reference.
 * @throws GraftError `empty-dataset`, `invalid-argument` where the numbers of lines do not fit
 */
export function readExamples(outputs: string, references: readonly string[]): Example[] {
  const texts = lines(outputs);
  const [first, ...others] = references.map(lines) as [string[], ...string[][]];
  const blocks: string[][] =
    others.length === 0 && first.includes("")
      ? first
          .join("\n")
          .split(/\n\n+/)
          .map((block) => block.split("\n"))
      : texts.map((_, index) => [first, ...others].flatMap((file) => (file[index] ? [file[index]] : [])));
  const counts =
    others.length === 0 && first.includes("") ? [blocks.length] : [first, ...others].map(({ length }) => length);
  const wrong = counts.find((count) => count !== texts.length);
  if (wrong !== undefined) {
    throw new GraftError(
      "invalid-argument",
      `there are ${texts.length} outputs and references for ${wrong}`,
      "Outputs stand one on a line; references in blocks with an empty line between, or one on a line in each of some files.",
    );
  }
  return texts.map((output, index) => ({ output, references: blocks[index] as string[] }));
}
