import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { isPointer, pointerRefused } from "../../hub/index.js";

/** What files begin with that are no text, by their bytes as characters. */
const others: readonly (readonly [start: string, what: string, advice: string])[] = [
  ["PK\x03\x04", "a ZIP archive, as Excel's .xlsx files are, too", "Unpack it, or save the sheet as CSV."],
  ["\x1f\x8b", "compressed with gzip", "Unpack it (gunzip)."],
  ["BZh", "compressed with bzip2", "Unpack it (bunzip2)."],
  ["\xfd7zXZ", "compressed with xz", "Unpack it (unxz)."],
  ["\x28\xb5\x2f\xfd", "compressed with Zstandard", "Unpack it (unzstd)."],
  ["7z\xbc\xaf", "a 7z archive", "Unpack it."],
  ["PAR1", "a Parquet file", "Save it as CSV or JSON lines (pandas: to_json(lines=True, orient='records'))."],
  ["ARROW1", "an Arrow file", "Save it as CSV or JSON lines (datasets: to_json)."],
  ["\xd0\xcf\x11\xe0", "an old Office file (.xls, .doc)", "Save the sheet as CSV."],
  ["%PDF-", "a PDF", "Save its text as a text file."],
  ["SQLite format 3", "an SQLite database", "Export the table as CSV."],
];

const UTF16_SAMPLE = 1000;

/** How a file without a mark is written, by its zero bytes: those of UTF-16 stand in every second place. */
function unmarkedEncoding(bytes: Uint8Array): "utf-8" | "utf-16le" | "utf-16be" | "binary" {
  const sample = bytes.subarray(0, UTF16_SAMPLE);
  const zeros = [0, 0];
  sample.forEach((byte, at) => {
    if (byte === 0) zeros[at % 2] = (zeros[at % 2] as number) + 1;
  });
  const [even = 0, odd = 0] = zeros;
  if (even + odd === 0) return "utf-8";
  const half = sample.length / 2;
  if (bytes.length % 2 === 0 && even === 0 && odd > half / 4) return "utf-16le";
  if (bytes.length % 2 === 0 && odd === 0 && even > half / 4) return "utf-16be";
  return "binary";
}

const marks: readonly (readonly [mark: readonly number[], encoding: string])[] = [
  [[0xff, 0xfe, 0, 0], "utf-32"],
  [[0, 0, 0xfe, 0xff], "utf-32"],
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];

const noText = (path: string, what: string, advice: string): GraftError =>
  new GraftError("file-access", `${path} is ${what}, not text`, advice);

function decoded(bytes: Uint8Array, encoding: string, path: string): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    throw new GraftError(
      "file-access",
      `${path} is not ${encoding.toUpperCase()} text`,
      "Save it as UTF-8, or check that it is the file you meant.",
      { cause: error },
    );
  }
}

/**
 * Reads a file of text: UTF-8, or UTF-16 with or without a mark; marks are left out.
 * @throws GraftError `file-access` for another encoding, and naming what kind of file it is where it is no text;
 *   `lfs-pointer`, `file-not-found`
 */
export async function readTextFile(path: string): Promise<string> {
  const bytes = await platform.readFile(path);
  if (isPointer(bytes)) throw pointerRefused(path);
  const start = String.fromCharCode(...bytes.subarray(0, 16));
  const other = others.find(([mark]) => start.startsWith(mark));
  if (other) throw noText(path, other[1], other[2]);
  const marked = marks.find(([mark]) => mark.every((byte, at) => bytes[at] === byte))?.[1];
  const encoding = marked ?? unmarkedEncoding(bytes);
  if (encoding === "utf-32") throw noText(path, "written in UTF-32", "Save it as UTF-8.");
  if (encoding === "binary") {
    throw noText(path, "a file with zero bytes", "Check that it is the file you meant, and save texts as UTF-8.");
  }
  return decoded(bytes, encoding, path);
}

/** The lines of a text. A carriage return alone ends one only where nothing else does. */
export function linesOfText(text: string): string[] {
  return text.includes("\n") ? text.split(/\r?\n/) : text.split("\r");
}
