/** Tags that decide how a TIFF's values are meant, and where they lie. */
export const tiffTags = {
  photometricInterpretation: 262,
  stripOffsets: 273,
  stripByteCounts: 279,
  tileOffsets: 324,
  tileByteCounts: 325,
} as const;

/** Values of the photometric interpretation that need care. */
export const photometric = { whiteIsZero: 0, lab: 8 } as const;

type Reader = (view: DataView, at: number, isLittle: boolean) => number;

/** Types of whole numbers: SHORT, LONG and BigTIFF's LONG8, with their bytes. */
const types: { readonly [type: number]: { readonly size: number; readonly read: Reader } } = {
  3: { size: 2, read: (view, at, isLittle) => view.getUint16(at, isLittle) },
  4: { size: 4, read: (view, at, isLittle) => view.getUint32(at, isLittle) },
  16: { size: 8, read: (view, at, isLittle) => Number(view.getBigUint64(at, isLittle)) },
};
const short = types[3]!.read;
const long = types[4]!.read;
const long8 = types[16]!.read;

/**
 * The whole numbers of a tag of the first page; none where it is missing.
 * @throws RangeError where they lie outside of the file
 */
export function tiffTag(bytes: Uint8Array, tag: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittle = bytes[0] === 0x49;
  const isBig = short(view, 2, isLittle) === 43;
  const wide = isBig ? long8 : long;
  const [countSize, entrySize, room] = isBig ? [8, 20, 8] : [2, 12, 4];
  const directory = wide(view, isBig ? 8 : 4, isLittle);
  const entries = (isBig ? long8 : short)(view, directory, isLittle);
  for (let i = 0; i < entries; i++) {
    const at = directory + countSize + i * entrySize;
    if (short(view, at, isLittle) !== tag) continue;
    const type = types[short(view, at + 2, isLittle)];
    const count = wide(view, at + 4, isLittle);
    if (!type || count * type.size > bytes.length) return [];
    const inline = at + 4 + room;
    const start = count * type.size <= room ? inline : wide(view, inline, isLittle);
    return Array.from({ length: count }, (_, k) => type.read(view, start + k * type.size, isLittle));
  }
  return [];
}

/** libtiff leaves what a cut-off file lacks black. @throws Error where the first page's pixels are not all there */
export function requireWholeTiff(bytes: Uint8Array): void {
  const { stripOffsets, stripByteCounts, tileOffsets, tileByteCounts } = tiffTags;
  for (const [offsetTag, countTag] of [
    [stripOffsets, stripByteCounts],
    [tileOffsets, tileByteCounts],
  ] as const) {
    const offsets = tiffTag(bytes, offsetTag);
    const counts = tiffTag(bytes, countTag);
    const ends = offsets.map((offset, i) => offset + (counts[i] ?? 0));
    const end = ends.reduce((most, value) => Math.max(most, value), 0);
    if (end > bytes.length) throw new Error(`it is cut off: ${bytes.length} bytes instead of ${end}`);
  }
}
