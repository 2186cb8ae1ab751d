/** Tags that decide how a TIFF's values are meant. */
export const tiffTags = { photometricInterpretation: 262 } as const;

/** Values of that tag that need care. */
export const photometric = { whiteIsZero: 0, lab: 8 } as const;

/** The first value of a tag of the first page, a number of 16 or 32 bits; undefined where there is none. */
export function tiffTag(bytes: Uint8Array, tag: number): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = bytes[0] === 0x49;
  try {
    const isBig = view.getUint16(2, little) === 43;
    const start = isBig ? Number(view.getBigUint64(8, little)) : view.getUint32(4, little);
    const count = isBig ? Number(view.getBigUint64(start, little)) : view.getUint16(start, little);
    const [first, entry, value] = isBig ? [start + 8, 20, 12] : [start + 2, 12, 8];
    for (let at = first; at < first + count * entry; at += entry) {
      if (view.getUint16(at, little) !== tag) continue;
      const isShort = view.getUint16(at + 2, little) === 3;
      return isShort ? view.getUint16(at + value, little) : view.getUint32(at + value, little);
    }
  } catch {
    // A directory outside of the file: the decoder says so.
  }
  return undefined;
}
