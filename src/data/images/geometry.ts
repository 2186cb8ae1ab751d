import { GraftError } from "../../errors.js";
import type { RawImage } from "./raw-image.js";

/** In pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** A rectangle in source pixels. */
export interface CropBox extends Size {
  readonly top: number;
  readonly left: number;
}

/** Python's round(): halves go to the even neighbour. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/** Size with the shorter side `shortest`, the longer one in proportion (rounded down), as torchvision's Resize(int). */
export function shortestEdgeSize({ height, width }: Size, shortest: number): Size {
  const longest = Math.trunc((shortest * Math.max(height, width)) / Math.min(height, width));
  return width <= height ? { height: longest, width: shortest } : { height: shortest, width: longest };
}

/**
 * Cuts a rectangle; what lies outside of the picture is black.
 * @throws GraftError `invalid-argument` for an empty rectangle.
 */
export function cropImage(image: RawImage, { top, left, height, width }: CropBox): RawImage {
  if (height < 1 || width < 1) {
    throw new GraftError(
      "invalid-argument",
      `a crop of ${width} x ${height} has no pixels`,
      "Width and height are integers of at least 1.",
    );
  }
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  const fromX = Math.max(0, left);
  const toX = Math.min(image.width, left + width);
  for (let y = Math.max(0, top); fromX < toX && y < Math.min(image.height, top + height); y++) {
    const row = image.data.subarray((y * image.width + fromX) * channels, (y * image.width + toX) * channels);
    data.set(row, ((y - top) * width + fromX - left) * channels);
  }
  return { width, height, channels, data };
}

/** Mirrors left and right. */
export function flipHorizontally(image: RawImage): RawImage {
  const { width, height, channels } = image;
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels;
      const to = (y * width + width - 1 - x) * channels;
      for (let c = 0; c < channels; c++) data[to + c] = image.data[from + c]!;
    }
  }
  return { width, height, channels, data };
}
