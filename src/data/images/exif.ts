const MARKER = 0xff;
const START_OF_IMAGE = 0xd8;
const EXIF_SEGMENT = 0xe1;
const START_OF_SCAN = 0xda;

/**
 * A JPEG without its EXIF segments; other files as they are. Browsers turn pictures as EXIF says, whatever they are
 * asked for, and Pillow does not.
 */
export function withoutExif(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const kept: Uint8Array[] = [];
  let start = 0;
  let at = bytes[0] === MARKER && bytes[1] === START_OF_IMAGE ? 2 : bytes.length;
  while (at + 4 <= bytes.length && bytes[at] === MARKER && bytes[at + 1] !== START_OF_SCAN) {
    if (bytes[at + 1] === MARKER) {
      at++; // Markers may be filled up with more of their first byte.
      continue;
    }
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    if (bytes[at + 1] === EXIF_SEGMENT) {
      kept.push(bytes.subarray(start, at));
      start = end;
    }
    at = end;
  }
  kept.push(bytes.subarray(Math.min(start, bytes.length)));
  const out = new Uint8Array(kept.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of kept) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
