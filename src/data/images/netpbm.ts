import { roundHalfEven } from "./geometry.js";
import { requirePixels } from "./limits.js";
import { type RawImage, rawImage, toRgb } from "./raw-image.js";

/** Characters of the longest number that Pillow reads. */
const LONGEST_TOKEN = 10;
const HASH = 0x23;

const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
const isLineEnd = (byte: number): boolean => byte === 0x0a || byte === 0x0d;

/** Reads numbers between white space; comments run from # to the end of their line. */
class Tokens {
  constructor(
    private readonly bytes: Uint8Array,
    public at: number,
  ) {}

  /** The next word; the one white space after it is consumed. */
  next(): string {
    let word = "";
    while (this.at < this.bytes.length && word.length <= LONGEST_TOKEN) {
      const byte = this.bytes[this.at++]!;
      if (byte === HASH) this.skipComment();
      else if (!isSpace(byte)) word += String.fromCharCode(byte);
      else if (word !== "") break;
    }
    if (word === "") throw new Error("it ends before all its numbers");
    return word;
  }

  /** The next non-negative whole number. */
  integer(limit: number): number {
    const word = this.next();
    const value = /^\d+$/.test(word) && word.length <= LONGEST_TOKEN ? Number(word) : Number.NaN;
    if (!(value <= limit)) throw new Error(`"${word}" is no number from 0 to ${limit}`);
    return value;
  }

  /** The next 0 or 1, with or without white space between them. */
  bit(): number {
    while (this.at < this.bytes.length) {
      const byte = this.bytes[this.at++]!;
      if (byte === HASH) this.skipComment();
      else if (byte === 0x30 || byte === 0x31) return byte - 0x30;
      else if (!isSpace(byte)) throw new Error(`the byte ${byte} is neither 0 nor 1`);
    }
    throw new Error("it ends before all its pixels");
  }

  private skipComment(): void {
    while (this.at < this.bytes.length && !isLineEnd(this.bytes[this.at++]!));
  }
}

interface Raster {
  readonly tokens: Tokens;
  readonly bytes: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** The bytes of the pixels. @throws Error where the file is too short */
function rasterBytes({ tokens, bytes }: Raster, length: number): Uint8Array {
  if (tokens.at + length > bytes.length) {
    throw new Error(`it is cut off: ${bytes.length - tokens.at} bytes of pixels instead of ${length}`);
  }
  return bytes.subarray(tokens.at, tokens.at + length);
}

function greyImage(width: number, height: number, data: Uint8Array): RawImage {
  return toRgb(rawImage(width, height, 1, data));
}

/** P1 and P4: 1 is black. */
function bitmap(raster: Raster, isText: boolean): RawImage {
  const { tokens, width, height } = raster;
  const stride = Math.ceil(width / 8);
  const packed = isText ? undefined : rasterBytes(raster, stride * height);
  const grey = new Uint8Array(width * height);
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++, o++) {
      const bit = packed ? (packed[y * stride + (x >> 3)]! >> (7 - (x & 7))) & 1 : tokens.bit();
      grey[o] = bit === 1 ? 0 : 255;
    }
  }
  return greyImage(width, height, grey);
}

/**
 * P2, P3, P5 and P6. Pillow stretches colours to 255. Grey of more than 8 bits it stretches to 65535 and then cuts off at
 * 255, so that nearly all of it is white.
 */
function samples(raster: Raster, channels: 1 | 3, isText: boolean): RawImage {
  const { tokens, width, height } = raster;
  const most = tokens.integer(65535);
  if (most === 0) throw new Error("its largest value is 0");
  const count = width * height * channels;
  const size = most < 256 ? 1 : 2;
  const packed = isText ? undefined : rasterBytes(raster, count * size);
  const stretched = channels === 1 && most > 255 ? 65535 : 255;
  const data = new Uint8ClampedArray(count);
  for (let i = 0; i < count; i++) {
    const value = packed ? (size === 1 ? packed[i]! : packed[2 * i]! * 256 + packed[2 * i + 1]!) : tokens.integer(most);
    data[i] = Math.min(255, roundHalfEven((value / most) * stretched));
  }
  return toRgb(rawImage(width, height, channels, data));
}

/** Pf: floats from the lowest row up; a negative scale means little-endian. */
function floats(raster: Raster): RawImage {
  const { tokens, width, height } = raster;
  const scale = Number(tokens.next());
  if (scale === 0 || !Number.isFinite(scale)) throw new Error("its scale is not a number other than 0");
  const packed = rasterBytes(raster, width * height * 4);
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    const from = (height - 1 - Math.floor(i / width)) * width + (i % width);
    const value = view.getFloat32(4 * from, scale < 0);
    grey[i] = Math.trunc(Math.max(0, Math.min(255, value)));
  }
  return greyImage(width, height, grey);
}

const readers: { readonly [magic: string]: (raster: Raster) => RawImage } = {
  P1: (raster) => bitmap(raster, true),
  P2: (raster) => samples(raster, 1, true),
  P3: (raster) => samples(raster, 3, true),
  P4: (raster) => bitmap(raster, false),
  P5: (raster) => samples(raster, 1, false),
  P6: (raster) => samples(raster, 3, false),
  Pf: floats,
};

/** Decodes PBM, PGM, PPM (text and binary, up to 16 bits) and grey PFM to Pillow's RGB. @throws Error saying what is wrong */
export function decodeNetpbm(bytes: Uint8Array): RawImage {
  const tokens = new Tokens(bytes, 2);
  const [width, height] = [tokens.integer(2 ** 31), tokens.integer(2 ** 31)];
  requirePixels(width, height);
  const magic = String.fromCharCode(...bytes.subarray(0, 2));
  const read = readers[magic];
  if (!read) throw new Error(`Netpbm files of kind ${magic} are not read`);
  return read({ tokens, bytes, width, height });
}
