import { isJsonObject, parseJson } from "../../json.js";
import { ParquetFile } from "../readers/parquet-file.js";
import { type Feature, type Features, featuresOfNote, value } from "./features.js";
import type { Row, RowSource } from "./source.js";

/** Bytes of a part that is read at once, and parts that are kept. */
const CHUNK_BYTES = 4 * 2 ** 20;
const KEPT_CHUNKS = 4;

function featuresOf(file: ParquetFile): Features {
  const note = file.note("huggingface");
  const parsed = note === undefined ? undefined : parseJson(note, `the note in ${file.path}`);
  const info = isJsonObject(parsed) && isJsonObject(parsed.info) ? parsed.info.features : undefined;
  const noted = isJsonObject(info) ? featuresOfNote(info) : {};
  const unknown: Feature = { type: "Unknown", names: [] };
  const ofColumn = (column: string): Feature => {
    const dtype = file.dtypeOf(column);
    return noted[column] ?? (dtype === undefined ? unknown : value(dtype));
  };
  return Object.fromEntries(file.columns.map((column) => [column, ofColumn(column)]));
}

/** The rows of a Parquet file, read in parts; the last few parts are kept. */
export async function parquetSource(path: string, warn: (line: string) => void): Promise<RowSource> {
  const file = await ParquetFile.open(path);
  const chunks = new Map<number, Promise<Row[]>>();
  let isTold = false;
  const warnOnce = (line: string) => {
    if (!isTold) warn(line);
    isTold = true;
  };
  const chunk = (start: number, end: number): Promise<Row[]> => {
    const kept = chunks.get(start);
    if (kept !== undefined) {
      // The one used last is dropped last.
      chunks.delete(start);
      chunks.set(start, kept);
      return kept;
    }
    const read = file.rows(start, end);
    chunks.set(start, read);
    read.catch(() => chunks.delete(start));
    const [oldest] = chunks.keys();
    if (chunks.size > KEPT_CHUNKS && oldest !== undefined) chunks.delete(oldest);
    return read;
  };
  return {
    name: path,
    length: file.length,
    features: featuresOf(file),
    row: async (index) => {
      const [start, end] = file.chunkOf(index, CHUNK_BYTES, warnOnce);
      return (await chunk(start, end))[index - start] as Row;
    },
    place: (index) => `${path}, row ${index}`,
  };
}
