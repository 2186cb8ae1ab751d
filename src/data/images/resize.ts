import { GraftError } from "../../errors.js";
import type { RawImage } from "./raw-image.js";
import { type Coefficients, PRECISION_BITS, type Resample, resampleCoefficients } from "./resample-filters.js";

const HALF = 1 << (PRECISION_BITS - 1);

/**
 * Resizes exactly as Pillow's Image.resize does for 8-bit pictures, to the bit: a horizontal and a vertical pass, rounded
 * to 8 bits between them; a pass whose size does not change is left out. The horizontal one comes first unless the height
 * shrinks by more than twice the pixels that the width loses (Pillow 13; older ones never change the order).
 *
 * @param width, height of the result, at least 1.
 * @throws GraftError `invalid-argument` for a size that is not a positive integer.
 */
export function resizeImage(image: RawImage, width: number, height: number, resample: Resample = "bilinear"): RawImage {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new GraftError(
      "invalid-argument",
      `an image cannot be resized to ${width} x ${height}`,
      "Width and height are integers of at least 1.",
    );
  }
  if (image.width === width && image.height === height) return image;
  if (resample === "nearest") return nearest(image, width, height);
  const across = (from: RawImage) =>
    from.width === width ? from : horizontal(from, width, resampleCoefficients(from.width, width, resample));
  const down = (from: RawImage) =>
    from.height === height ? from : vertical(from, height, resampleCoefficients(from.height, height, resample));
  const rowsLost = image.height - height;
  return rowsLost > 0 && rowsLost > 2 * (image.width - width) ? across(down(image)) : down(across(image));
}

function clampToByte(sum: number): number {
  const value = sum >> PRECISION_BITS;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

function horizontal(image: RawImage, width: number, coefficients: Coefficients): RawImage {
  const { height, channels, data: source } = image;
  const data = new Uint8Array(width * height * channels);
  const pass = channels === 3 ? horizontalRgb : horizontalGrey;
  for (let y = 0; y < height; y++) {
    pass(source, y * image.width * channels, data, y * width * channels, width, coefficients);
  }
  return { width, height, channels, data };
}

type RowPass = (
  source: RawImage["data"],
  sourceStart: number,
  out: Uint8Array,
  outStart: number,
  width: number,
  coefficients: Coefficients,
) => void;

const horizontalRgb: RowPass = (source, sourceStart, out, outStart, width, { starts, counts, taps, weights }) => {
  for (let x = 0, o = outStart; x < width; x++, o += 3) {
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    const end = x * taps + counts[x]!;
    for (let k = x * taps, s = sourceStart + starts[x]! * 3; k < end; k++, s += 3) {
      const weight = weights[k]!;
      red = (red + source[s]! * weight) | 0;
      green = (green + source[s + 1]! * weight) | 0;
      blue = (blue + source[s + 2]! * weight) | 0;
    }
    out[o] = clampToByte(red);
    out[o + 1] = clampToByte(green);
    out[o + 2] = clampToByte(blue);
  }
};

const horizontalGrey: RowPass = (source, sourceStart, out, outStart, width, { starts, counts, taps, weights }) => {
  for (let x = 0; x < width; x++) {
    let sum = HALF;
    const end = x * taps + counts[x]!;
    for (let k = x * taps, s = sourceStart + starts[x]!; k < end; k++, s++) {
      sum = (sum + source[s]! * weights[k]!) | 0;
    }
    out[outStart + x] = clampToByte(sum);
  }
};

function vertical(image: RawImage, height: number, { starts, counts, taps, weights }: Coefficients): RawImage {
  const { width, channels, data: source } = image;
  const row = width * channels;
  const data = new Uint8Array(row * height);
  const sums = new Int32Array(row);
  for (let y = 0; y < height; y++) {
    sums.fill(HALF);
    for (let k = 0; k < counts[y]!; k++) {
      const weight = weights[y * taps + k]!;
      const start = (starts[y]! + k) * row;
      for (let x = 0; x < row; x++) sums[x] = (sums[x]! + source[start + x]! * weight) | 0;
    }
    for (let x = 0, o = y * row; x < row; x++, o++) data[o] = clampToByte(sums[x]!);
  }
  return { width, height, channels, data };
}

/** Source position of each target position; Pillow adds the step up, so rounding errors add up here, too. */
function nearestPositions(source: number, target: number): Int32Array {
  const step = source / target;
  const positions = new Int32Array(target);
  let at = step * 0.5;
  for (let i = 0; i < target; i++, at += step) positions[i] = Math.min(source - 1, Math.trunc(at));
  return positions;
}

function nearest(image: RawImage, width: number, height: number): RawImage {
  const { channels, data: source } = image;
  const xs = nearestPositions(image.width, width);
  const ys = nearestPositions(image.height, height);
  const data = new Uint8Array(width * height * channels);
  let o = 0;
  for (const y of ys) {
    for (const x of xs) {
      const s = (y * image.width + x) * channels;
      for (let c = 0; c < channels; c++) data[o++] = source[s + c]!;
    }
  }
  return { width, height, channels, data };
}
