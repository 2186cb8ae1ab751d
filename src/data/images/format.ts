/** What Graft knows about a kind of picture file. */
export interface ImageFormatInfo {
  /** As people call it. */
  readonly name: string;
  /** Whether `loadImage` reads it; the others are refused by name. */
  readonly isDecoded: boolean;
}

/** Kinds of picture files that are told apart by their first bytes. */
export type ImageFormat =
  | "jpeg"
  | "png"
  | "gif"
  | "webp"
  | "tiff"
  | "avif"
  | "bmp"
  | "netpbm"
  | "heic"
  | "ico"
  | "cur"
  | "tga"
  | "jp2"
  | "jxl"
  | "psd"
  | "svg"
  | "pdf"
  | "pcx"
  | "dds"
  | "qoi"
  | "icns"
  | "exr"
  | "pam";

/** Every format with its name and whether it is read. */
export const imageFormats: { readonly [format in ImageFormat]: ImageFormatInfo } = {
  jpeg: { name: "JPEG", isDecoded: true },
  png: { name: "PNG", isDecoded: true },
  gif: { name: "GIF", isDecoded: true },
  webp: { name: "WebP", isDecoded: true },
  tiff: { name: "TIFF", isDecoded: true },
  avif: { name: "AVIF", isDecoded: true },
  bmp: { name: "BMP", isDecoded: true },
  netpbm: { name: "PPM, PGM or PBM", isDecoded: true },
  heic: { name: "HEIC", isDecoded: false },
  ico: { name: "ICO", isDecoded: false },
  cur: { name: "CUR", isDecoded: false },
  tga: { name: "TGA", isDecoded: false },
  jp2: { name: "JPEG 2000", isDecoded: false },
  jxl: { name: "JPEG XL", isDecoded: false },
  psd: { name: "Photoshop", isDecoded: false },
  svg: { name: "SVG", isDecoded: false },
  pdf: { name: "PDF", isDecoded: false },
  pcx: { name: "PCX", isDecoded: false },
  dds: { name: "DDS", isDecoded: false },
  qoi: { name: "QOI", isDecoded: false },
  icns: { name: "ICNS", isDecoded: false },
  exr: { name: "OpenEXR", isDecoded: false },
  pam: { name: "PAM", isDecoded: false },
};

/** Names of the formats that `loadImage` reads. */
export const decodedFormatNames: string = Object.values(imageFormats)
  .filter(({ isDecoded }) => isDecoded)
  .map(({ name }) => name)
  .join(", ");

/** Bytes that `imageFormat` looks at; a file's first ones are enough. */
export const FORMAT_BYTES = 4096;

const brandsOf: readonly (readonly [ImageFormat, ReadonlySet<string>])[] = [
  ["avif", new Set(["avif", "avis"])],
  ["heic", new Set(["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"])],
];

function wordAt(bytes: Uint8Array, at: number, isLittleEndian: boolean): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, isLittleEndian);
}

/** ISO media files say in their first box what they hold: a main brand, a version, more brands. */
function isoFormat(bytes: Uint8Array, text: string): ImageFormat | null {
  if (text.slice(4, 8) !== "ftyp") return null;
  const length = Math.min(wordAt(bytes, 0, false), text.length);
  const brands = [text.slice(8, 12)];
  for (let at = 16; at + 4 <= length; at += 4) brands.push(text.slice(at, at + 4));
  return brandsOf.find(([, known]) => brands.some((brand) => known.has(brand)))?.[0] ?? null;
}

/** TGA files begin with no mark: a header whose every field makes sense counts. */
function isTga(bytes: Uint8Array): boolean {
  if (bytes.length < 18) return false;
  const [, mapType, type, ...map] = bytes.subarray(0, 8);
  const hasMap = mapType === 1 && (type === 1 || type === 9);
  const hasNone = mapType === 0 && [2, 3, 10, 11].includes(type!) && map.every((byte) => byte === 0);
  const size = (at: number) => bytes[at]! | (bytes[at + 1]! << 8);
  const isSized = size(12) > 0 && size(14) > 0 && [8, 15, 16, 24, 32].includes(bytes[16]!);
  return (hasMap || hasNone) && isSized && (bytes[17]! & 0xc0) === 0;
}

/** What files of a format begin with, one character a byte. */
const beginnings: readonly (readonly [ImageFormat, readonly string[]])[] = [
  ["jpeg", ["\xff\xd8\xff"]],
  ["png", ["\x89PNG\r\n\x1a\n"]],
  ["gif", ["GIF87a", "GIF89a"]],
  ["tiff", ["II*\0", "II+\0", "MM\0*", "MM\0+"]],
  ["jp2", ["\0\0\0\x0cjP  \r\n\x87\n", "\xff\x4f\xff\x51"]],
  ["jxl", ["\0\0\0\x0cJXL \r\n\x87\n", "\xff\x0a"]],
  ["psd", ["8BPS\0\x01", "8BPS\0\x02"]],
  ["pdf", ["%PDF-"]],
  ["dds", ["DDS \x7c\0\0\0"]],
  ["qoi", ["qoif"]],
  ["icns", ["icns"]],
  ["exr", ["v/1\x01"]],
];

/** Header sizes of BMP: they tell one from a text that begins with "BM". */
const bmpHeaders: ReadonlySet<number> = new Set([12, 40, 52, 56, 64, 108, 124]);

/** A directory of at least one icon (kind 1) or cursor (kind 2), the fourth byte of whose entry is 0. */
function isIcon(bytes: Uint8Array, kind: number): boolean {
  const [zero, zero2, first, second, count, high, , , , reserved] = bytes;
  return zero === 0 && zero2 === 0 && first === kind && second === 0 && count! > 0 && high === 0 && reserved === 0;
}

function isPcx([mark, version, encoding, bits]: Uint8Array): boolean {
  return mark === 10 && [0, 2, 3, 4, 5].includes(version!) && encoding! <= 1 && [1, 2, 4, 8].includes(bits!);
}

const tests: readonly (readonly [ImageFormat, (bytes: Uint8Array, text: string) => boolean])[] = [
  ["webp", (_, text) => text.startsWith("RIFF") && text.slice(8, 12) === "WEBP"],
  ["bmp", (bytes, text) => text.startsWith("BM") && bytes.length >= 18 && bmpHeaders.has(wordAt(bytes, 14, true))],
  ["netpbm", (_, text) => /^P[1-6](?:\s|#[^\r\n]*[\r\n])+\d|^Pf\s+\d+\s+\d+\s+[-+.\d]/.test(text)],
  ["pam", (_, text) => /^P7\n[W#]|^PF\s+\d+\s+\d+\s/.test(text)],
  ["svg", (_, text) => /^(?:\xef\xbb\xbf)?\s*(?:<[?!][\s\S]*?)?<svg[\s>]/.test(text)],
  ["ico", (bytes) => isIcon(bytes, 1)],
  ["cur", (bytes) => isIcon(bytes, 2)],
  ["pcx", isPcx],
  ["tga", isTga],
];

/**
 * Which kind of picture a file is, by its content: names and extensions count for nothing.
 *
 * @param bytes the file, or its first 4096 bytes (`FORMAT_BYTES`); fewer may hide an SVG or a Netpbm file.
 * @returns null for what is no picture, or none of a known kind. Whether one is read says `imageFormats[format].isDecoded`.
 */
export function imageFormat(bytes: Uint8Array): ImageFormat | null {
  const head = bytes.subarray(0, FORMAT_BYTES);
  // One character a byte: expressions see bytes.
  const text = String.fromCharCode(...head);
  const marked = beginnings.find(([, marks]) => marks.some((mark) => text.startsWith(mark)))?.[0];
  return marked ?? isoFormat(head, text) ?? tests.find(([, test]) => test(head, text))?.[0] ?? null;
}
