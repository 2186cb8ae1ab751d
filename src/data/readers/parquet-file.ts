import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { platform } from "#platform";
import { GraftError, messageOf } from "../../errors.js";

/** A row as a Parquet file has it: numbers where 64 bits fit into one, bytes for what is no text. */
export type ParquetRow = { readonly [column: string]: unknown };

/** Megabytes of a row group from which it is worth a remark that it is read whole. */
const LARGE_GROUP = 96 * 2 ** 20;

interface Group {
  readonly start: number;
  readonly rows: number;
  readonly bytes: number;
  /** Whether parts of it can be read. */
  readonly hasIndex: boolean;
}

/** 64-bit integers as numbers where they are exact. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value) || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

/** A Parquet file, read row group by row group; where the file has an offset index, page by page. */
export class ParquetFile {
  readonly length: number;
  readonly columns: readonly string[];
  private readonly groups: readonly Group[];

  private constructor(
    readonly path: string,
    private readonly file: AsyncBuffer,
    private readonly metadata: FileMetaData,
  ) {
    let start = 0;
    this.groups = metadata.row_groups.map((group) => {
      const rows = Number(group.num_rows);
      const hasIndex = group.columns.every(({ offset_index_offset: offset }) => offset !== undefined);
      start += rows;
      return { start: start - rows, rows, bytes: Number(group.total_byte_size), hasIndex };
    });
    this.length = start;
    const [root, ...elements] = metadata.schema;
    const names: string[] = [];
    for (let at = 0, left = root?.num_children ?? 0; left > 0; left--) {
      names.push(elements[at]?.name ?? "");
      const skip = (): void => {
        const children = elements[at++]?.num_children ?? 0;
        for (let child = 0; child < children; child++) skip();
      };
      skip();
    }
    this.columns = names;
  }

  /** Opens a file: only its footer is read. @throws GraftError `invalid-dataset`, `file-not-found`, `file-access` */
  static async open(path: string): Promise<ParquetFile> {
    const byteLength = await platform.fileSize(path);
    const version = await platform.fileVersion(path);
    const file: AsyncBuffer = {
      byteLength,
      slice: async (start, end = byteLength) => {
        const from = start < 0 ? byteLength + start : start;
        const bytes = await platform.readRange(path, from, end - from);
        if ((await platform.fileVersion(path)) !== version) {
          throw new GraftError("file-access", `${path} was changed while it was read`, "Load the dataset again.");
        }
        return bytes.buffer as ArrayBuffer;
      },
    };
    const { parquetMetadataAsync } = await import("hyparquet");
    return explained(path, async () => new ParquetFile(path, file, await parquetMetadataAsync(file)));
  }

  /** A note of the file, by its key. */
  note(key: string): string | undefined {
    return this.metadata.key_value_metadata?.find((each) => each.key === key)?.value ?? undefined;
  }

  /** The logical type of each column that is no group, as "string", "int64", ... */
  dtypeOf(column: string): string | undefined {
    const element = this.metadata.schema.find(
      ({ name, num_children: children }, at) => at > 0 && name === column && !children,
    );
    if (element === undefined) return undefined;
    const { type, converted_type: converted, logical_type: logical } = element;
    if (converted === "UTF8" || logical?.type === "STRING") return "string";
    const names: Readonly<Record<string, string>> = {
      BOOLEAN: "bool",
      INT32: "int32",
      INT64: "int64",
      FLOAT: "float32",
      DOUBLE: "float64",
      BYTE_ARRAY: "binary",
    };
    return names[type ?? ""] ?? String(type).toLowerCase();
  }

  /**
   * The rows that are best read together with a row: a part of its row group, of about so many bytes.
   * @returns [start, end)
   */
  chunkOf(row: number, bytes: number, warn: (line: string) => void): [number, number] {
    const at = this.groups.findIndex(({ start, rows }) => row < start + rows);
    const { start, rows, bytes: all, hasIndex } = this.groups[at] as Group;
    if (!hasIndex || all <= bytes) {
      if (all > LARGE_GROUP) {
        warn(
          `${this.path}: row group ${at} of ${rows} rows takes ${Math.round(all / 2 ** 20)} MiB and can only be read whole, for want of an offset index; smaller row groups (datasets: to_parquet(batch_size=...)) take less memory`,
        );
      }
      return [start, start + rows];
    }
    const each = Math.max(1, Math.floor((bytes / all) * rows));
    const from = start + Math.floor((row - start) / each) * each;
    return [from, Math.min(from + each, start + rows)];
  }

  /** Rows `start` to `end`. @throws GraftError `invalid-dataset` for damaged pages and unsupported codecs */
  async rows(start: number, end: number): Promise<ParquetRow[]> {
    const [{ parquetReadObjects }, { compressors }] = await Promise.all([
      import("hyparquet"),
      import("#parquet-codecs"),
    ]);
    const { file, metadata } = this;
    return explained(this.path, async () => {
      const options = { file, metadata, rowStart: start, rowEnd: end, compressors, utf8: false, useOffsetIndex: true };
      return (await parquetReadObjects(options)).map((row) => plain(row) as ParquetRow);
    });
  }
}

async function explained<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof GraftError) throw error;
    const reason = messageOf(error);
    const isCodec = /compress|codec/i.test(reason);
    throw new GraftError(
      "invalid-dataset",
      `${path} cannot be read as Parquet: ${reason}`,
      isCodec
        ? "Write it with Snappy, Zstandard or Gzip, or without compression."
        : "Check that it is a whole Parquet file: fetch it again if it was cut off on the way.",
      { cause: error },
    );
  }
}
