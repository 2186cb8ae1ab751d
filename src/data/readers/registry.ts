import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type DelimitedOptions, type NumberedColumns, readDelimited } from "./delimited.js";
import { readJsonTable } from "./json-table.js";
import { readJsonLines } from "./jsonl.js";
import { readParquet } from "./parquet.js";
import type { Table } from "./table.js";

/** Table formats. To add one: a file with its reader, a name here, a line in each of the two tables below. */
export type TableFormat = "csv" | "tsv" | "jsonl" | "json" | "parquet";

type TableReader = (path: string, options: DelimitedOptions & NumberedColumns) => Promise<Table>;

const tableReaders: { readonly [F in TableFormat]: TableReader } = {
  csv: (path, options) => readDelimited(path, options, { delimiter: ",", quoting: "standard" }),
  tsv: (path, options) => readDelimited(path, options, { delimiter: "\t", quoting: undefined }),
  jsonl: (path) => readJsonLines(path),
  json: (path) => readJsonTable(path),
  parquet: (path) => readParquet(path),
};

const extensions: { readonly [F in TableFormat]: readonly string[] } = {
  csv: [".csv"],
  tsv: [".tsv", ".tab"],
  jsonl: [".jsonl", ".ndjson"],
  json: [".json"],
  parquet: [".parquet"],
};

const formats = Object.keys(tableReaders) as TableFormat[];

/** The format that a file's extension tells. @throws GraftError `unsupported`. */
export function formatOf(path: string): TableFormat {
  const extension = platform.extname(path).toLowerCase();
  const format = formats.find((name) => extensions[name].includes(extension));
  if (format === undefined) {
    throw new GraftError(
      "unsupported",
      `${path} has the extension "${extension}", which does not tell its format`,
      `Name the format: ${formats.join(", ")}.`,
    );
  }
  return format;
}

/** Reads a table in the given format, or in the one that the extension tells. */
export function readTable(
  path: string,
  { format, ...options }: DelimitedOptions & NumberedColumns & { readonly format?: TableFormat } = {},
): Promise<Table> {
  return tableReaders[format ?? formatOf(path)](path, options);
}
