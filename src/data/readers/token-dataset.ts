import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type RowRange, requireRows, selectRows, type TokenExample } from "../dataset.js";
import { type LabelsAre, readClasses } from "./class-labels.js";
import { readConll, type TaggedSentence } from "./conll.js";
import { readJsonLines } from "./jsonl.js";
import { type Label2Id, labelNames, type RawLabel } from "./labels.js";
import { findColumn, placeOf, type TableRow } from "./table.js";

export type TokenFormat = "conll" | "jsonl";

/** Options of `readTokenDataset`. */
export interface ReadTokenOptions extends RowRange {
  /** Default: JSON lines for .jsonl and .ndjson, CoNLL for all other files. */
  readonly format?: TokenFormat;
  /** The words: a column's number (CoNLL; default 0) or key (JSON lines; default tokens or words). */
  readonly textColumn?: string | number;
  /** The tags: number (default: the last column) or key (default ner_tags, tags or labels); `null`: there are none. */
  readonly labelColumn?: string | number | null;
  /** Class ids. Default: class numbers as they are, or the sorted tags of this file. */
  readonly label2id?: Label2Id;
  /** How tags that are numbers are told from class numbers. Default: by what this file holds, names first. */
  readonly labelsAre?: LabelsAre | undefined;
  /** Told what was decided about the tags and might surprise. Default: nobody. */
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** Sentences with labelled words, and the labels. */
export interface TokenDataset {
  readonly examples: readonly TokenExample[];
  /** Empty for rows without labels. */
  readonly label2id: Label2Id;
  /** Label names by id. */
  readonly labels: readonly string[];
  /** How tags were read that are names and class numbers at once. */
  readonly labelsAre?: LabelsAre | undefined;
}

const usualWords = ["tokens", "words"];
const usualTags = ["ner_tags", "tags", "labels"];

function columnNumber(column: string | number | undefined, option: string): number | undefined {
  if (column === undefined) return undefined;
  const number = Number(column);
  if (Number.isInteger(number) && number >= 0 && String(column).trim() !== "") return number;
  throw new GraftError(
    "invalid-argument",
    `${option} is ${JSON.stringify(column)}, but a CoNLL file's columns have no names`,
    "Give the column's number, counted from 0.",
  );
}

function listCell(row: TableRow, column: string, holds: "words" | "tags"): unknown[] {
  const value = row.cells[column];
  const fits = (item: unknown) => typeof item === "string" || (holds === "tags" && Number.isInteger(item));
  if (Array.isArray(value) && value.every(fits)) return value;
  throw new GraftError(
    "invalid-json",
    `${placeOf(row)}: "${column}" is ${JSON.stringify(value)?.slice(0, 60) ?? "missing"}, not a list of ${holds === "words" ? "words" : "tags or tag numbers"}`,
    'Write lines such as {"tokens": ["Ada", "lives"], "tags": ["B-PER", "O"]}.',
  );
}

async function readJsonSentences(path: string, options: ReadTokenOptions): Promise<TaggedSentence[]> {
  const table = await readJsonLines(path);
  requireRows([...table.rows], path);
  const wordColumn = findColumn(table, options.textColumn, usualWords, "textColumn");
  const tagColumn =
    options.labelColumn === null ? undefined : findColumn(table, options.labelColumn, usualTags, "labelColumn");
  return table.rows.map((row): TaggedSentence => {
    const place = placeOf(row);
    const words = listCell(row, wordColumn, "words") as string[];
    if (tagColumn === undefined) return { words, place };
    const tags = listCell(row, tagColumn, "tags").map((value): RawLabel => ({ value: value as string, place }));
    if (tags.length === words.length) return { words, tags, place };
    throw new GraftError(
      "invalid-label",
      `${place} has ${words.length} words and ${tags.length} tags`,
      "Tag each word.",
    );
  });
}

const readers: { readonly [F in TokenFormat]: (path: string, options: ReadTokenOptions) => Promise<TaggedSentence[]> } =
  {
    conll: (path, { textColumn, labelColumn }) => {
      const text = columnNumber(textColumn, "textColumn");
      const label = labelColumn === null ? null : columnNumber(labelColumn, "labelColumn");
      return readConll(path, {
        ...(text !== undefined && { textColumn: text }),
        ...(label !== undefined && { labelColumn: label }),
      });
    },
    jsonl: readJsonSentences,
  };

/** The names of token files' formats. */
export const tokenFormats = Object.keys(readers) as TokenFormat[];

const isJsonLines = (path: string): boolean => [".jsonl", ".ndjson"].includes(platform.extname(path).toLowerCase());

/**
 * Reads sentences whose words are tagged: a CoNLL-like file, or JSON lines with lists of words and tags.
 *
 * @example await readTokenDataset("conll2003/train.txt", { end: 1000 })
 * @throws GraftError `file-not-found`, `file-access`, `invalid-csv`, `invalid-json`, `invalid-label` (file and line),
 *   `empty-dataset`, `invalid-argument`
 */
export async function readTokenDataset(path: string, options: ReadTokenOptions = {}): Promise<TokenDataset> {
  const format = options.format ?? (isJsonLines(path) ? "jsonl" : "conll");
  const all = requireRows(await readers[format](path, options), path);
  const sentences = selectRows(all, options, `the row range of ${path} (${all.length} sentences)`);
  if (options.labelColumn === null) {
    return { examples: sentences.map(({ words }) => ({ words })), label2id: {}, labels: [] };
  }
  const tags = sentences.flatMap(({ tags = [] }) => tags);
  const { label2id, ids, labelsAre, notes } = readClasses(tags, {
    label2id: options.label2id,
    areClasses: true,
    labelsAre: options.labelsAre,
  });
  for (const note of notes) options.onInfo?.(note);
  let at = 0;
  return {
    examples: sentences.map(({ words, tags = [] }) => ({ words, labels: tags.map(() => ids[at++] as number) })),
    label2id,
    labels: labelNames(label2id),
    labelsAre,
  };
}
