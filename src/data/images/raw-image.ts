import { GraftError } from "../../errors.js";

/** Decoded pixels, 8 bits a channel, rows from the top, channels interleaved: data[(y * width + x) * channels + c]. */
export interface RawImage {
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** 3: RGB, 1: grey. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Where a picture comes from: a path (or URL in the browser), the bytes of an image file, or pixels. */
export type ImageSource = string | Uint8Array | RawImage;

/** Checks sizes and makes a RawImage. @throws GraftError `shape-mismatch`. */
export function rawImage(width: number, height: number, channels: 1 | 3, data: RawImage["data"]): RawImage {
  if (width < 1 || height < 1 || data.length !== width * height * channels) {
    throw new GraftError(
      "shape-mismatch",
      `an image of ${width} x ${height} x ${channels} needs ${width * height * channels} bytes, got ${data.length}`,
      "Give width, height and channels of the pixels.",
    );
  }
  return { width, height, channels, data };
}

/** One grey channel with the weights of Pillow's convert("L") (ITU-R 601, 16-bit fixed point). */
export function toGrey(image: RawImage): RawImage {
  if (image.channels === 1) return image;
  const grey = new Uint8Array(image.width * image.height);
  for (let i = 0, j = 0; i < grey.length; i++, j += 3) {
    grey[i] = (image.data[j]! * 19595 + image.data[j + 1]! * 38470 + image.data[j + 2]! * 7471 + 0x8000) >>> 16;
  }
  return { width: image.width, height: image.height, channels: 1, data: grey };
}

/** Three equal channels from one. */
export function toRgb(image: RawImage): RawImage {
  if (image.channels === 3) return image;
  const data = new Uint8Array(image.data.length * 3);
  for (let i = 0; i < image.data.length; i++) data.fill(image.data[i]!, 3 * i, 3 * i + 3);
  return { width: image.width, height: image.height, channels: 3, data };
}

/** RGB of RGBA, whatever its alpha says. */
export function withoutAlpha(rgba: Uint8Array | Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, o = 0; i < rgba.length; i += 4, o += 3) {
    rgb[o] = rgba[i]!;
    rgb[o + 1] = rgba[i + 1]!;
    rgb[o + 2] = rgba[i + 2]!;
  }
  return rgb;
}
