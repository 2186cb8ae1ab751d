import { GraftError } from "../../errors.js";
import { type JsonObject, parseJsonObject } from "../../json.js";
import { unicodeSet } from "./unicode/classes.js";

/** Lines as Rust's `lines` gives them: without \n or \r\n, and without an empty one at the end. */
function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function trimEnd(line: string): string {
  const space = unicodeSet("whiteSpace");
  let end = line.length;
  while (end > 0 && space.has(line.charCodeAt(end - 1))) end--;
  return line.slice(0, end);
}

/** vocab.txt: a token a line, the line's number being its id. */
export function vocabularyOfLines(text: string): JsonObject {
  return Object.fromEntries(linesOf(text).map((line, id) => [trimEnd(line), id]));
}

/** vocab.json and merges.txt of byte-level BPE. @throws GraftError `file-not-found`, `invalid-tokenizer`, `invalid-json` */
export function bpeFiles(vocabulary: string, merges: string | undefined): { vocab: JsonObject; merges: string[] } {
  if (merges === undefined) {
    throw new GraftError(
      "file-not-found",
      "there is a vocab.json, but no merges.txt beside it",
      "Copy merges.txt, or tokenizer.json, from the model's repository into the folder.",
    );
  }
  const pairs = linesOf(merges).filter((line) => !line.startsWith("#version"));
  return { vocab: parseJsonObject(vocabulary, "vocab.json"), merges: pairs };
}
