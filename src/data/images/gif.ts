import { lzwPixels } from "./gif-lzw.js";
import { requirePixels } from "./limits.js";
import { type RawImage, rawImage } from "./raw-image.js";

/** The first frame of a GIF as a file of its own, and the picture into which Pillow lays it. */
export interface FirstFrame {
  /** A GIF of that frame alone: without offset, transparency, or what comes later. */
  readonly file: Uint8Array<ArrayBuffer>;
  /** The whole picture's size in pixels. */
  readonly width: number;
  readonly height: number;
  /** The frame's place in it. */
  readonly left: number;
  readonly top: number;
  /** RGB of the pixels around the frame. */
  readonly outside: readonly [number, number, number];
}

const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const FRAME = 0x2c;
const TRAILER = 0x3b;
const cutOff = (): Error => new Error("it is cut off before its first frame ends");

/** Bytes of the colour table that a packed field announces; 0 for none. */
const tableLength = (packed: number): number => ((packed & 0x80) === 0 ? 0 : 3 << ((packed & 7) + 1));

/** The byte after a chain of sub-blocks. @throws Error where the file ends within it */
function afterBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
  if (at >= bytes.length) throw cutOff();
  return at + 1;
}

/** @throws Error where there is no whole frame */
function findFrame(bytes: Uint8Array, start: number): { at: number; transparent: number | undefined } {
  let at = start;
  let transparent: number | undefined;
  while (at < bytes.length && bytes[at] !== TRAILER) {
    if (bytes[at] === FRAME) return { at, transparent };
    if (bytes[at] !== EXTENSION) {
      at++;
      continue;
    }
    if (bytes[at + 1] === GRAPHIC_CONTROL && at + 6 < bytes.length) {
      transparent = (bytes[at + 3]! & 1) === 1 ? bytes[at + 6]! : undefined;
    }
    at = afterBlocks(bytes, at + 2);
  }
  throw at < bytes.length ? new Error("it holds no frame") : cutOff();
}

/**
 * Takes the first frame out of a GIF. Pillow shows the colours that transparent pixels have in the palette, and lays a
 * frame smaller than the picture on the transparent index, or on index 0; decoders disagree on both.
 * @throws Error saying what is wrong
 */
export function firstFrame(bytes: Uint8Array): FirstFrame {
  if (bytes.length < 13) throw cutOff();
  const half = (at: number) => bytes[at]! | (bytes[at + 1]! << 8);
  const globalTable = bytes.subarray(13, 13 + tableLength(bytes[10]!));
  const { at, transparent } = findFrame(bytes, 13 + tableLength(bytes[10]!));
  if (at + 11 > bytes.length) throw cutOff();
  const [left, top, width, height] = [half(at + 1), half(at + 3), half(at + 5), half(at + 7)];
  const packed = bytes[at + 9]!;
  const data = at + 10 + tableLength(packed);
  const table = tableLength(packed) > 0 ? bytes.subarray(at + 10, data) : globalTable;
  if (table.length === 0) throw new Error("it has no palette");
  requirePixels(width, height);
  const whole = { width: Math.max(half(6), left + width), height: Math.max(half(8), top + height) };
  requirePixels(whole.width, whole.height);

  const end = afterBlocks(bytes, data + 1);
  if (lzwPixels(bytes, data, width * height) < width * height) throw cutOff();
  const header = bytes.slice(0, 13);
  header.set(bytes.subarray(at + 5, at + 9), 6);
  const descriptor = bytes.slice(at, at + 10);
  descriptor.fill(0, 1, 5);
  const parts = [header, globalTable, descriptor, bytes.subarray(at + 10, end), Uint8Array.of(TRAILER)];
  const file = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.length;
  }
  const index = 3 * (transparent ?? 0);
  return { file, ...whole, left, top, outside: [table[index] ?? 0, table[index + 1] ?? 0, table[index + 2] ?? 0] };
}

/** Lays the decoded frame into its picture. */
export function aroundFrame(frame: RawImage, { width, height, left, top, outside }: FirstFrame): RawImage {
  if (frame.width === width && frame.height === height) return frame;
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = outside[i % 3]!;
  const row = frame.width * 3;
  for (let y = 0; y < frame.height; y++) {
    data.set(frame.data.subarray(y * row, (y + 1) * row), ((top + y) * width + left) * 3);
  }
  return rawImage(width, height, 3, data);
}
