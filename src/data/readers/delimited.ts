import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { Table, TableRow } from "./table.js";

/** How a CSV or TSV file is written. */
export interface DelimitedOptions {
  /** One character. Default "," for CSV, a tab for TSV. */
  readonly delimiter?: string;
  /**
   * "standard": cells may stand in double quotes, doubled inside (RFC 4180). "none": quotes are ordinary characters, as
   * in GLUE's TSV files. Default "standard" for CSV, "none" for TSV.
   */
  readonly quoting?: "none" | "standard";
  /** Whether the first line names the columns. Default true. */
  readonly header?: boolean;
}

interface ParsedRecord {
  readonly record: string[];
  readonly info: { readonly lines: number };
}

/**
 * Reads a table of delimited text (UTF-8). Every row must have as many cells as the first.
 * @throws GraftError `invalid-csv` with file and line, `file-not-found`, `file-access`.
 */
export async function readDelimited(
  path: string,
  { delimiter, quoting, header = true }: DelimitedOptions,
  defaults: Required<Pick<DelimitedOptions, "delimiter" | "quoting">>,
): Promise<Table> {
  const text = await platform.readText(path);
  const records = await parseRecords(text, path, delimiter ?? defaults.delimiter, quoting ?? defaults.quoting);
  const first = records[0];
  if (first === undefined) return { file: path, columns: [], rows: [] };
  const columns = header ? first.record.map((name) => name.trim()) : first.record.map((_, index) => String(index));
  const repeated = columns.find((name, index) => columns.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new GraftError(
      "invalid-csv",
      `${path}:1: two columns are called "${repeated}"`,
      "Rename one, or set header to false if the file has no header line.",
    );
  }
  const rows = (header ? records.slice(1) : records).map(({ record, info }): TableRow => {
    if (record.length !== columns.length) {
      throw new GraftError(
        "invalid-csv",
        `${path}:${info.lines}: ${record.length} cells where the first line has ${columns.length}`,
        'Correct the row; check delimiter and quoting ("none" makes quotes ordinary characters).',
      );
    }
    return { file: path, line: info.lines, cells: Object.fromEntries(columns.map((name, i) => [name, record[i]])) };
  });
  return { file: path, columns, rows };
}

async function parseRecords(
  text: string,
  path: string,
  delimiter: string,
  quoting: "none" | "standard",
): Promise<ParsedRecord[]> {
  const { CsvError, parse } = await import("csv-parse/browser/esm/sync");
  try {
    return parse(text, {
      bom: true,
      delimiter,
      // Parts of a file may end their lines differently; left to itself the parser takes the first line's end for all.
      record_delimiter: text.includes("\n") ? ["\r\n", "\n"] : "\r",
      quote: quoting === "none" ? null : '"',
      relax_column_count: true,
      skip_empty_lines: true,
      info: true,
    }) as unknown as ParsedRecord[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === "number" ? `:${error.lines}` : "";
    throw new GraftError(
      "invalid-csv",
      `${path}${line}: ${error.message}`,
      'Correct the row, or set quoting to "none" if quotes are ordinary characters in this file.',
      { cause: error },
    );
  }
}
