import type { ImageFormat } from "./format.js";
import type { Size } from "./geometry.js";

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const textAt = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

/** Frame headers of JPEG: 0xC0 to 0xCF but for tables (C4), an extension (C8) and arithmetic conditions (CC). */
const isFrameHeader = (marker: number): boolean => (marker & 0xf0) === 0xc0 && ![0xc4, 0xc8, 0xcc].includes(marker);

function jpegSize(bytes: Uint8Array): Size | undefined {
  const data = view(bytes);
  let at = 2;
  while (at + 9 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1]!;
    if (marker === 0xff) at++;
    else if (isFrameHeader(marker)) return { height: data.getUint16(at + 5), width: data.getUint16(at + 7) };
    else at += 2 + data.getUint16(at + 2);
  }
  return undefined;
}

function pngSize(bytes: Uint8Array): Size | undefined {
  return bytes.length < 24 ? undefined : { width: view(bytes).getUint32(16), height: view(bytes).getUint32(20) };
}

function webpSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 30) return undefined;
  const data = view(bytes);
  const three = (at: number) => 1 + data.getUint16(at, true) + (bytes[at + 2]! << 16);
  const kinds: { readonly [chunk: string]: () => Size } = {
    VP8X: () => ({ width: three(24), height: three(27) }),
    VP8L: () => ({
      width: 1 + (data.getUint32(21, true) & 0x3fff),
      height: 1 + ((data.getUint32(21, true) >>> 14) & 0x3fff),
    }),
    "VP8 ": () => ({ width: data.getUint16(26, true) & 0x3fff, height: data.getUint16(28, true) & 0x3fff }),
  };
  return kinds[textAt(bytes, 12)]?.();
}

/** The largest of the sizes that an AVIF's properties name: those of tiles are smaller than the picture's. */
function avifSize(bytes: Uint8Array): Size | undefined {
  const sizes: Size[] = [];
  for (let at = 0; at + 16 <= Math.min(bytes.length, 1 << 16); at++) {
    if (bytes[at] !== 0x69 || textAt(bytes, at) !== "ispe") continue;
    sizes.push({ width: view(bytes).getUint32(at + 8), height: view(bytes).getUint32(at + 12) });
  }
  return sizes.sort((a, b) => b.width * b.height - a.width * a.height)[0];
}

const sizes: { readonly [format in ImageFormat]?: (bytes: Uint8Array) => Size | undefined } = {
  jpeg: jpegSize,
  png: pngSize,
  webp: webpSize,
  avif: avifSize,
};

/** The size that a file's header claims, where that is read before its pixels; undefined where it is not found. */
export function declaredSize(bytes: Uint8Array, format: ImageFormat): Size | undefined {
  return sizes[format]?.(bytes);
}
