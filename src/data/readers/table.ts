import { GraftError } from "../../errors.js";

/** One row of a table with the place it came from. */
export interface TableRow {
  readonly file: string;
  /** Counted from 1, header included. */
  readonly line: number;
  readonly cells: { readonly [column: string]: unknown };
}

/** A table as a reader gives it. Columns without a header are named "0", "1", ... */
export interface Table {
  /** Path, for messages. */
  readonly file: string;
  readonly columns: readonly string[];
  readonly rows: readonly TableRow[];
}

export function placeOf({ file, line }: { file: string; line: number }): string {
  return `${file}:${line}`;
}

const delimiters: readonly (readonly [character: string, name: string])[] = [
  ["\t", "a tab (\\t)"],
  [";", '";"'],
  ["|", '"|"'],
  [",", '","'],
];

/** What to do about a table of one column whose name holds what separates columns elsewhere; undefined for others. */
export function delimiterHint(columns: readonly string[]): string | undefined {
  const [name = ""] = columns;
  const found = columns.length === 1 ? delimiters.find(([character]) => name.includes(character)) : undefined;
  return found && `The columns seem to be separated by ${found[1]}: set \`delimiter\` to it.`;
}

/**
 * A column by name or number, or else the first of the `usual` names that the table has.
 * @throws GraftError `invalid-argument` naming the columns that exist.
 */
export function findColumn(
  table: Table,
  wanted: string | number | undefined,
  usual: readonly string[],
  option: string,
): string {
  if (wanted === undefined) {
    const found = usual.find((name) => table.columns.includes(name));
    if (found !== undefined) return found;
  } else {
    const name =
      typeof wanted === "number" && !table.columns.includes(String(wanted)) ? table.columns[wanted] : String(wanted);
    if (name !== undefined && table.columns.includes(name)) return name;
  }
  const missing = wanted === undefined ? `none of the columns ${usual.join(", ")}` : `no column "${wanted}"`;
  throw new GraftError(
    "invalid-argument",
    `${table.file} has ${missing}; it has: ${table.columns.join(", ")}`,
    delimiterHint(table.columns) ??
      `Name the column with ${option}; for a file without a line of names set \`header\` to false and give numbers from 0.`,
  );
}

/** A cell as text. @throws GraftError `invalid-csv` if the row lacks it or it holds an object. */
export function textCell(row: TableRow, column: string): string {
  const value = row.cells[column];
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new GraftError(
    "invalid-csv",
    `${placeOf(row)}: "${column}" is ${value === undefined || value === null ? "missing" : `${JSON.stringify(value)?.slice(0, 60)}, not text`}`,
    "Correct or remove the row.",
  );
}
