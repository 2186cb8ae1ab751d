import { GraftError } from "../../errors.js";
import type { RawLabel } from "./labels.js";
import { linesOfText, readTextFile } from "./text-file.js";

/** A sentence as a file has it: its words, and their tags where they were asked for. */
export interface TaggedSentence {
  readonly words: readonly string[];
  readonly tags?: readonly RawLabel[];
  /** File and line of the first word, for messages. */
  readonly place: string;
}

export interface ConllColumns {
  /** Number of the column of words, from 0. Default 0. */
  readonly textColumn?: number;
  /** Number of the column of tags, from 0. Default: the last one; `null`: tags are not read. */
  readonly labelColumn?: number | null;
}

/** A tab in a line says that tabs separate: words may then hold blanks. */
const cellsOf = (line: string): string[] => (line.includes("\t") ? line.split("\t") : line.trim().split(/\s+/));

function missing(place: string, column: number | string, cells: number): GraftError {
  return new GraftError(
    "invalid-csv",
    `${place} has ${cells} column${cells === 1 ? "" : "s"}, and no column ${column}`,
    "Each line is a word, a tab or blank, and its tag; an empty line ends a sentence. Name other columns with textColumn and labelColumn (numbers from 0).",
  );
}

/**
 * Reads a file in the manner of CoNLL's shared tasks: one word a line with its tag in the last column, an empty line
 * between sentences; lines that begin with -DOCSTART- only separate documents.
 * @throws GraftError `file-not-found`, `file-access`, `invalid-csv` with file and line for a line without a tag
 */
export async function readConll(path: string, columns: ConllColumns = {}): Promise<TaggedSentence[]> {
  const { textColumn = 0, labelColumn } = columns;
  const text = await readTextFile(path);
  const sentences: TaggedSentence[] = [];
  let words: string[] = [];
  let tags: RawLabel[] = [];
  let start = 0;
  const end = () => {
    if (words.length > 0) {
      sentences.push({ words, ...(labelColumn !== null && { tags }), place: `${path}:${start + 1}` });
    }
    words = [];
    tags = [];
  };
  for (const [index, line] of linesOfText(text).entries()) {
    if (line.trim() === "" || line.startsWith("-DOCSTART-")) {
      end();
      continue;
    }
    if (words.length === 0) start = index;
    const place = `${path}:${index + 1}`;
    const cells = cellsOf(line);
    const word = cells[textColumn];
    if (word === undefined || word === "") throw missing(place, textColumn, cells.length);
    words.push(word);
    if (labelColumn === null) continue;
    const tagColumn = labelColumn ?? cells.length - 1;
    const tag = tagColumn === textColumn ? undefined : cells[tagColumn];
    if (tag === undefined) throw missing(place, labelColumn ?? "of tags", cells.length);
    tags.push({ value: tag, place });
  }
  end();
  return sentences;
}
