import { type BmpHeader, readBmpHeader } from "./bmp-header.js";
import { decodeRuns } from "./bmp-runs.js";
import { type RawImage, rawImage } from "./raw-image.js";

/** Where a pixel's bits of one colour lie. */
interface Field {
  readonly shift: number;
  readonly most: number;
}

const byteAt = (shift: number): Field => ({ shift, most: 255 });
const five = (shift: number): Field => ({ shift, most: 31 });

/** Red, green and blue by bits a pixel and masks: the layouts that Pillow reads. "": without bit fields. */
const layouts: { readonly [bits: number]: { readonly [masks: string]: readonly [Field, Field, Field] } } = {
  16: {
    "": [five(10), five(5), five(0)],
    "7c00,3e0,1f": [five(10), five(5), five(0)],
    "f800,7e0,1f": [five(11), { shift: 5, most: 63 }, five(0)],
  },
  24: {
    "": [byteAt(16), byteAt(8), byteAt(0)],
    "ff0000,ff00,ff": [byteAt(16), byteAt(8), byteAt(0)],
  },
  32: {
    "": [byteAt(16), byteAt(8), byteAt(0)],
    "0,0,0": [byteAt(16), byteAt(8), byteAt(0)],
    "ff0000,ff00,ff": [byteAt(16), byteAt(8), byteAt(0)],
    "ff000000,ff0000,ff00": [byteAt(24), byteAt(16), byteAt(8)],
    "ff000000,ff00,ff": [byteAt(24), byteAt(8), byteAt(0)],
    "ff,ff00,ff0000": [byteAt(0), byteAt(8), byteAt(16)],
  },
};

/** Rows of packed samples as one value a pixel, in the file's order. @throws Error where rows are missing */
function unpacked(bytes: Uint8Array, { width, height, bits, offset }: BmpHeader): Uint32Array {
  const stride = Math.ceil((width * bits) / 32) * 4;
  const needed = offset + stride * (height - 1) + Math.ceil((width * bits) / 8);
  if (bytes.length < needed) throw new Error(`it is cut off: ${bytes.length} bytes instead of ${needed}`);
  const values = new Uint32Array(width * height);
  const size = bits / 8;
  for (let y = 0, o = 0; y < height; y++) {
    const row = offset + y * stride;
    for (let x = 0; x < width; x++, o++) {
      if (bits < 8) {
        const bit = x * bits;
        values[o] = (bytes[row + (bit >> 3)]! >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
        continue;
      }
      let value = 0;
      for (let k = size - 1; k >= 0; k--) value = value * 256 + bytes[row + x * size + k]!;
      values[o] = value;
    }
  }
  return values;
}

function painted(values: ArrayLike<number>, palette: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) rgb.set(palette.subarray(values[i]! * 3, values[i]! * 3 + 3), i * 3);
  return rgb;
}

function separated(values: Uint32Array, fields: readonly Field[]): Uint8Array {
  const rgb = new Uint8Array(values.length * 3);
  for (let i = 0, o = 0; i < values.length; i++) {
    for (const { shift, most } of fields) rgb[o++] = Math.trunc((((values[i]! >>> shift) & most) * 255) / most);
  }
  return rgb;
}

/** The lowest row of most files comes first. */
function upright(rgb: Uint8Array, { width, height, isTopDown }: BmpHeader): RawImage {
  if (isTopDown) return rawImage(width, height, 3, rgb);
  const row = width * 3;
  const out = new Uint8Array(rgb.length);
  for (let y = 0; y < height; y++) out.set(rgb.subarray(y * row, (y + 1) * row), (height - 1 - y) * row);
  return rawImage(width, height, 3, out);
}

/**
 * Decodes a Windows or OS/2 bitmap to Pillow's RGB: 1, 4, 8 (run lengths, too), 16, 24 and 32 bits, either way up; alpha
 * is dropped.
 * @throws Error saying what is wrong or not read
 */
export function decodeBmp(bytes: Uint8Array): RawImage {
  const header = readBmpHeader(bytes);
  if (header.palette) {
    const values = header.isRunLength ? decodeRuns(bytes, header) : unpacked(bytes, header);
    return upright(painted(values, header.palette), header);
  }
  const fields = header.isRunLength ? undefined : layouts[header.bits]?.[header.masks];
  if (!fields) throw new Error(`BMP files of ${header.bits} bits with the masks (${header.masks}) are not read`);
  return upright(separated(unpacked(bytes, header), fields), header);
}
