import { GraftError } from "../../errors.js";
import type { TensorData } from "../../tensor-data.js";

/**
 * The position of the largest element along the last axis (the first one of equals): logits [rows, classes] become
 * classes [rows].
 */
export function argMax(tensor: TensorData): Int32Array {
  const { shape, data } = tensor;
  const width = shape.at(-1) ?? 0;
  if (width === 0) {
    throw new GraftError("shape-mismatch", `argMax of a tensor of shape [${shape}]`, "Give logits [rows, classes].");
  }
  const result = new Int32Array(data.length / width);
  for (let row = 0; row < result.length; row++) {
    let best = 0;
    for (let column = 1; column < width; column++) {
      if (data[row * width + column]! > data[row * width + best]!) best = column;
    }
    result[row] = best;
  }
  return result;
}
