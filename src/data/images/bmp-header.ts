import { requirePixels } from "./limits.js";

/** What comes before the pixels of a BMP file. */
export interface BmpHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly isTopDown: boolean;
  readonly isRunLength: boolean;
  /** Byte at which the pixels begin. */
  readonly offset: number;
  /** Masks of red, green and blue in hexadecimal; "" without bit fields. */
  readonly masks: string;
  /** RGB of 256 indices, for up to 8 bits. */
  readonly palette?: Uint8Array;
}

const FILE_HEADER = 14;
const OS2_HEADER = 12;
const INFO_HEADER = 40;
const compressions = { none: 0, rle8: 1, rle4: 2, fields: 3 } as const;
const bitsOfRuns: { readonly [compression: number]: number } = { 1: 8, 2: 4 };

/** Indices that the file gives no colour are grey, as in Pillow. */
function paletteOf(bytes: Uint8Array, start: number, entry: number, colours: number): Uint8Array {
  if (colours > 65536) throw new Error(`it claims a palette of ${colours} colours`);
  const palette = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
  for (let i = 0; i < Math.min(256, colours); i++) {
    const at = start + i * entry;
    if (at + 3 > bytes.length) throw new Error("it is cut off within its palette");
    palette.set([bytes[at + 2]!, bytes[at + 1]!, bytes[at]!], i * 3);
  }
  return palette;
}

/** @throws Error saying what is wrong or not read */
export function readBmpHeader(bytes: Uint8Array): BmpHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(FILE_HEADER, true);
  if (bytes.length < FILE_HEADER + length) throw new Error("it is cut off within its header");
  const word = (at: number) => view.getUint32(FILE_HEADER + at, true);
  const half = (at: number) => view.getUint16(FILE_HEADER + at, true);
  const isOs2 = length === OS2_HEADER;
  const signed = isOs2 ? half(6) : view.getInt32(FILE_HEADER + 8, true);
  // Pillow takes only heights down to -2^24 for "top-down"; others have more pixels than are read, anyway.
  const [width, height] = [isOs2 ? half(4) : word(4), Math.abs(signed)];
  requirePixels(width, height);
  const bits = half(isOs2 ? 10 : 14);
  const compression = isOs2 ? compressions.none : word(16);
  if (compression > compressions.fields) throw new Error(`BMP files of compression ${compression} are not read`);
  const isRunLength = compression in bitsOfRuns;
  if (![1, 4, 8, 16, 24, 32].includes(bits) || (isRunLength && bitsOfRuns[compression] !== bits)) {
    throw new Error(`BMP files of ${bits} bits and compression ${compression} are not read`);
  }
  let end = FILE_HEADER + length;
  let masks = "";
  if (compression === compressions.fields) {
    // A later header holds the masks itself, at the place where they follow an older one.
    if (FILE_HEADER + INFO_HEADER + 12 > bytes.length) throw new Error("it is cut off within its header");
    masks = [0, 4, 8].map((at) => word(INFO_HEADER + at).toString(16)).join();
    if (length === INFO_HEADER) end += 12;
  }
  const stated = view.getUint32(10, true);
  const entry = isOs2 ? 3 : 4;
  const colours = (isOs2 ? 0 : word(32)) || 2 ** bits;
  const hasPalette = bits <= 8;
  // Some writers forget the palette in the place of the pixels.
  const forgotten = hasPalette && stated === FILE_HEADER + length ? colours * entry : 0;
  return {
    width,
    height,
    bits,
    isTopDown: signed < 0,
    isRunLength,
    offset: stated === 0 ? end + (hasPalette ? colours * entry : 0) : stated + forgotten,
    masks,
    ...(hasPalette && { palette: paletteOf(bytes, end, entry, colours) }),
  };
}
