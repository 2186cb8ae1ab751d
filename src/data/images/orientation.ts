import type { ImageFormat } from "./format.js";

const MARKER = 0xff;
const START_OF_SCAN = 0xda;
const EXIF_SEGMENT = 0xe1;

/** Byte ranges [start, end) of a file. */
type Range = readonly [number, number];

function jpegExif(bytes: Uint8Array): Range[] {
  const found: Range[] = [];
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === MARKER && bytes[at + 1] !== START_OF_SCAN) {
    if (bytes[at + 1] === MARKER) {
      at++; // Markers may be filled up with more of their first byte.
      continue;
    }
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    if (bytes[at + 1] === EXIF_SEGMENT) found.push([at, end]);
    at = end;
  }
  return found;
}

const nameAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

function pngExif(bytes: Uint8Array): Range[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Range[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 12 + view.getUint32(at);
    if (nameAt(bytes, at + 4) === "eXIf") found.push([at, end]);
    at = end;
  }
  return found;
}

/** Chunks of RIFF have their names changed, not cut out: the sizes before them stay right, and unknown ones are skipped. */
function webpExif(bytes: Uint8Array): Range[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Range[] = [];
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at + 4, true);
    if (nameAt(bytes, at) === "EXIF") found.push([at, at + 4]);
    at += 8 + length + (length % 2);
  }
  return found;
}

function without(bytes: Uint8Array, cuts: readonly Range[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length);
  let from = 0;
  let length = 0;
  for (const [start, end] of [...cuts, [bytes.length, bytes.length] as const]) {
    out.set(bytes.subarray(from, start), length);
    length += Math.max(0, start - from);
    from = Math.min(end, bytes.length);
  }
  return out.slice(0, length);
}

function renamed(bytes: Uint8Array, names: readonly Range[]): Uint8Array<ArrayBuffer> {
  const out = bytes.slice();
  for (const [start, end] of names) out.fill(0x78, start, end);
  return out;
}

/** Bytes of the boxes in which an AVIF keeps its properties; they come first. */
const AVIF_PROPERTIES = 1 << 16;

/** An angle of 0 in every rotation box. @throws Error for a mirrored picture, which cannot be said otherwise */
function avifUnturned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = bytes.slice();
  for (let at = 4; at + 5 <= Math.min(out.length, AVIF_PROPERTIES); at++) {
    if (out[at] !== 0x69) continue;
    const name = nameAt(out, at);
    if (name === "irot" && out[at - 1] === 9) out[at + 4] = 0;
    if (name === "imir" && out[at - 1] === 9) throw new Error("browsers mirror this AVIF picture, and Pillow does not");
  }
  return out;
}

const unturned: { readonly [format in ImageFormat]?: (bytes: Uint8Array) => Uint8Array<ArrayBuffer> } = {
  jpeg: (bytes) => without(bytes, jpegExif(bytes)),
  png: (bytes) => without(bytes, pngExif(bytes)),
  webp: (bytes) => renamed(bytes, webpExif(bytes)),
  avif: avifUnturned,
};

/**
 * The file without what makes browsers turn its picture, whatever they are asked for: EXIF segments, and AVIF's rotation.
 * Pillow does not turn pictures of these formats when it opens them.
 */
export function upright(bytes: Uint8Array, format: ImageFormat): Uint8Array<ArrayBuffer> {
  return unturned[format]?.(bytes) ?? bytes.slice();
}
