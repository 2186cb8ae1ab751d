import { ParquetFile } from "./parquet-file.js";
import type { Table } from "./table.js";

/**
 * Reads a Parquet file whole, as a table; rows are counted from 1.
 * @throws GraftError `invalid-dataset`, `file-not-found`, `file-access`
 */
export async function readParquet(path: string): Promise<Table> {
  const file = await ParquetFile.open(path);
  const rows = await file.rows(0, file.length);
  return { file: path, columns: file.columns, rows: rows.map((cells, at) => ({ file: path, line: at + 1, cells })) };
}
