import { platform } from "#platform";
import { type RowRange, requireRows, selectRows } from "../dataset.js";
import type { DelimitedOptions } from "../readers/delimited.js";
import { formatOf, readTable, type TableFormat } from "../readers/registry.js";
import type { Table } from "../readers/table.js";
import type { ColumnChoice } from "../readers/text-columns.js";
import { readTextFile } from "../readers/text-file.js";
import { type LanguageExample, languageExamples } from "./examples.js";

/** Formats of texts to learn. */
export const languageFormats = ["txt", "json", "csv", "tsv", "jsonl", "parquet"] as const satisfies readonly (
  | TableFormat
  | "txt"
)[];
export type LanguageFormat = (typeof languageFormats)[number];

/** Options of `readLanguageDataset`. */
export interface ReadLanguageOptions extends DelimitedOptions, RowRange {
  /** Default: by the file's extension. */
  readonly format?: LanguageFormat;
  /** A column of texts, or two: prompts and completions. Default: by the columns' names. */
  readonly textColumn?: ColumnChoice;
}

/** What a language model is taught with. */
export interface LanguageDataset {
  readonly examples: readonly LanguageExample[];
}

/** The format that a file's name tells; .txt and .md are plain text. @throws GraftError `unsupported` */
function languageFormatOf(path: string): LanguageFormat {
  const extension = platform.extname(path).toLowerCase();
  if ([".txt", ".text", ".md"].includes(extension)) return "txt";
  return formatOf(path);
}

/**
 * Reads what a language model is to learn: a plain text (one example), or rows of texts, of prompts and completions, of
 * instructions, or of chats. What was recognised is told in one line.
 *
 * @example await readLanguageDataset("chat.jsonl", { end: 1000 })
 * @throws GraftError `file-not-found`, `file-access`, `invalid-csv`, `invalid-json`, `invalid-argument` (file and line),
 *   `empty-dataset`, `unsupported`
 */
export async function readLanguageDataset(path: string, options: ReadLanguageOptions = {}): Promise<LanguageDataset> {
  const { format = languageFormatOf(path), textColumn, onInfo } = options;
  if (format === "txt") {
    const text = await readTextFile(path);
    const examples = requireRows(text.trim() === "" ? [] : [{ place: path, text }], path);
    onInfo?.(`${path}: one text of ${text.length} characters`);
    return { examples };
  }
  const table = await readTable(path, { ...options, format });
  requireRows([...table.rows], path);
  const rows = selectRows(table.rows, options, `the row range of ${path} (${table.rows.length} rows)`);
  const { examples, what } = languageExamples(table, rows, textColumn);
  onInfo?.(`${path}: ${what}`);
  return { examples };
}

/**
 * The same for rows in memory: objects with `messages`, `conversations`, `instruction` and `output`, `prompt` and
 * `completion`, or `text`.
 * @throws GraftError `invalid-argument` with the row's number (from 0), `empty-dataset`
 */
export function languageDatasetFrom(
  rows: readonly Readonly<Record<string, unknown>>[],
  {
    name = "row",
    textColumn,
    onInfo,
  }: Pick<ReadLanguageOptions, "textColumn" | "onInfo"> & { readonly name?: string } = {},
): LanguageDataset {
  const all = requireRows([...rows], "the data");
  const columns = [...new Set(all.flatMap((row) => Object.keys(row)))];
  const table: Table = { file: name, columns, rows: all.map((cells, line) => ({ file: name, line, cells })) };
  const { examples, what } = languageExamples(table, table.rows, textColumn);
  onInfo?.(what);
  return { examples };
}
