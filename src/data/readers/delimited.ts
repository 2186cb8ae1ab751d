import { GraftError } from "../../errors.js";
import { rowInPlaceOfHeader } from "./header.js";
import { type ParsedRecord, parseRecords } from "./parse-records.js";
import { quotingOf } from "./quoting.js";
import { delimiterHint, type Table, type TableRow } from "./table.js";
import { readTextFile } from "./text-file.js";

/** How a CSV or TSV file is written. */
export interface DelimitedOptions {
  /** One character. Default "," for CSV, a tab for TSV. */
  readonly delimiter?: string;
  /**
   * "standard": cells may stand in double quotes, doubled inside (RFC 4180). "none": quotes are ordinary characters, as
   * in GLUE's TSV files. Default "standard" for CSV; for TSV what the file's quotes show.
   */
  readonly quoting?: "none" | "standard";
  /**
   * Whether the first line names the columns. Default true; where `numberedColumns` are given, what the first line shows.
   */
  readonly header?: boolean;
  /** Told what the file shows where that might surprise. Default: nobody. */
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** Columns that a caller gave by their numbers: a sign that the file may have no header. */
export interface NumberedColumns {
  readonly numberedColumns?: { readonly label?: number } | undefined;
}

/** What a format says of a file that does not say it itself. */
export interface DelimitedDefaults {
  readonly delimiter: string;
  /** undefined: by the file's quotes. */
  readonly quoting: "none" | "standard" | undefined;
}

/** The records, with quotes as the file shows them where nobody said what they are. */
async function recordsOf(
  path: string,
  { quoting, onInfo }: DelimitedOptions,
  delimiter: string,
): Promise<ParsedRecord[]> {
  const text = await readTextFile(path);
  if (quoting !== undefined) return parseRecords(text, path, delimiter, quoting);
  const plain = await parseRecords(text, path, delimiter, "none");
  if (!text.includes('"')) return plain;
  const standard = await parseRecords(text, path, delimiter, "standard").catch(() => undefined);
  if (standard === undefined || quotingOf(plain, standard) === "none") return plain;
  onInfo?.(`${path}: cells in quotes are read without them, as in CSV (quoting "none" keeps them)`);
  return standard;
}

function hasHeader(
  records: readonly ParsedRecord[],
  path: string,
  { header, numberedColumns, onInfo }: DelimitedOptions & NumberedColumns,
): boolean {
  if (header !== undefined || numberedColumns === undefined) return header ?? true;
  const shown = rowInPlaceOfHeader(
    records.map(({ record }) => record),
    numberedColumns.label,
  );
  if (shown === undefined) return true;
  onInfo?.(
    `${path}: the first line is read as a row, since "${shown}" in it is no column's name (header true reads it as names)`,
  );
  return false;
}

/**
 * Reads a table of delimited text. Every row must have as many cells as the first.
 * @throws GraftError `invalid-csv` with file and line, `file-not-found`, `file-access`.
 */
export async function readDelimited(
  path: string,
  options: DelimitedOptions & NumberedColumns,
  defaults: DelimitedDefaults,
): Promise<Table> {
  const delimiter = options.delimiter ?? defaults.delimiter;
  const quoting = options.quoting ?? defaults.quoting;
  const records = await recordsOf(path, { ...options, ...(quoting && { quoting }) }, delimiter);
  const first = records[0];
  if (first === undefined) return { file: path, columns: [], rows: [] };
  const isNamed = hasHeader(records, path, options);
  const columns = isNamed ? first.record.map((name) => name.trim()) : first.record.map((_, index) => String(index));
  const repeated = columns.find((name, index) => columns.indexOf(name) !== index);
  if (repeated !== undefined) {
    throw new GraftError(
      "invalid-csv",
      `${path}:1: two columns are called "${repeated}"`,
      "Rename one, or set `header` to false if the file has no header line.",
    );
  }
  const rows = (isNamed ? records.slice(1) : records).map(({ record, info }): TableRow => {
    if (record.length !== columns.length) {
      throw new GraftError(
        "invalid-csv",
        `${path}:${info.lines}: ${record.length} cells where the first line has ${columns.length}`,
        delimiterHint(columns) ??
          'Correct the row; check delimiter and quoting ("none" makes quotes ordinary characters).',
      );
    }
    return { file: path, line: info.lines, cells: Object.fromEntries(columns.map((name, i) => [name, record[i]])) };
  });
  return { file: path, columns, rows };
}
