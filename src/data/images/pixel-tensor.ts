import { GraftError } from "../../errors.js";
import { type TensorData, tensorData } from "../../tensor-data.js";
import type { RawImage } from "./raw-image.js";

/** float32 pixels of shape [channels, height, width]. */
export type PixelTensor = TensorData<"float32">;

/**
 * Spreads interleaved bytes to planes, each channel through its own table of 256 values: whatever is done to single
 * pixels (rescaling, normalising) is computed 256 times instead of once a pixel.
 */
export function planesThroughTables(image: RawImage, tables: readonly Float32Array[]): PixelTensor {
  const { width, height, channels, data } = image;
  const plane = width * height;
  const out = new Float32Array(plane * channels);
  for (let c = 0; c < channels; c++) {
    const table = tables[c]!;
    const start = c * plane;
    for (let i = 0, s = c; i < plane; i++, s += channels) out[start + i] = table[data[s]!]!;
  }
  return tensorData("float32", [channels, height, width], out);
}

/** One value for each channel; a single value stands for all. @throws GraftError `invalid-config`. */
export function perChannel(name: string, values: readonly number[], channels: number): number[] {
  if (values.length === channels) return [...values];
  if (values.length === 1) return Array.from({ length: channels }, () => values[0]!);
  throw new GraftError(
    "invalid-config",
    `${name} has ${values.length} values for pictures of ${channels} channels`,
    `Give one value for each channel.`,
  );
}

/**
 * Several pictures as one tensor.
 * @param pictures at least one, float32 [channels, height, width] each
 * @returns float32 [pictures, channels, height, width]
 * @throws GraftError `shape-mismatch` if they have different sizes
 */
export function stackPixels(pictures: readonly PixelTensor[]): TensorData<"float32"> {
  const { shape, data: first } = pictures[0] as PixelTensor;
  const data = new Float32Array(pictures.length * first.length);
  for (const [row, picture] of pictures.entries()) {
    if (picture.shape.join() !== shape.join()) {
      throw new GraftError(
        "shape-mismatch",
        `a batch holds pictures of shape [${shape}] and [${picture.shape}]`,
        "Resize or crop all pictures to one height and width.",
      );
    }
    data.set(picture.data, row * first.length);
  }
  return tensorData("float32", [pictures.length, ...shape], data);
}
