import type { ParsedRecord } from "./parse-records.js";

/** How a file with one kind of quoting looks; undefined where it cannot be read so, or rows have different widths. */
function uniform(records: readonly ParsedRecord[] | undefined): readonly ParsedRecord[] | undefined {
  const width = records?.[0]?.record.length;
  return records?.every(({ record }) => record.length === width) ? records : undefined;
}

/** Whether a cell stands in quotes for a reason that only a writer of quoted cells has: quotes doubled within. */
const isEscaped = (cell: string): boolean => /^"(?:[^"]|"")*"$/.test(cell) && cell.slice(1, -1).includes('""');

const isQuoted = (cell: string): boolean => /^"(?:[^"]|"")*"$/.test(cell);

/** Whether every cell of some column stands in quotes, as where all texts are written so. */
function hasQuotedColumn(records: readonly ParsedRecord[]): boolean {
  const width = records[0]?.record.length ?? 0;
  const body = records.slice(1);
  return (
    body.length > 1 &&
    Array.from({ length: width }).some((_, at) => body.every(({ record }) => isQuoted(record[at] ?? "")))
  );
}

/**
 * Whether quotes of a tab-separated file enclose cells ("standard"), or are ordinary characters ("none") as in GLUE's
 * files, where a sentence may begin with a lone one.
 * @param standard the file's records where quotes enclose; undefined where that does not fit the file
 */
export function quotingOf(
  plain: readonly ParsedRecord[],
  standard: readonly ParsedRecord[] | undefined,
): "standard" | "none" {
  const quoted = uniform(standard);
  if (quoted === undefined) return "none";
  if (uniform(plain) === undefined) return "standard";
  if (quoted.length !== plain.length) return "none";
  const isWritten = plain.some(({ record }) => record.some(isEscaped)) || hasQuotedColumn(plain);
  return isWritten ? "standard" : "none";
}
