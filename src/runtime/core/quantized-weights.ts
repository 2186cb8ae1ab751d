import { platform } from "#platform";
import { arrayFromBytes, type TensorData, toFloat32 } from "../../tensor-data.js";
import type { QuantizedData } from "../definition.js";

/**
 * Rounds each column of a matrix to -127..127 with a scale of its own.
 * @param matrix [rows, columns]
 * @param factor multiplied into the scales
 * @returns values [rows, columns] and scales [columns]; a column of zeros has scale 0
 */
export function quantizeColumns(matrix: Float32Array, rows: number, columns: number, factor: number) {
  const largest = new Float32Array(columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      const magnitude = Math.abs(matrix[at] as number);
      if (magnitude > (largest[column] as number)) largest[column] = magnitude;
    }
  }
  const inverse = largest.map((magnitude) => (magnitude > 0 ? 127 / magnitude : 0));
  const values = new Int8Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      values[at] = nearest((matrix[at] as number) * (inverse[column] as number));
    }
  }
  return { values, scales: largest.map((magnitude) => (magnitude / 127) * factor) };
}

/** Rounds half away from zero; the typed array cuts the rest off. Several times as fast as Math.round. */
const nearest = (value: number): number => (value < 0 ? value - 0.5 : value + 0.5);

/** [rows, columns] as [columns, rows], in blocks that stay in the cache. */
function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  const block = 32;
  for (let top = 0; top < rows; top += block) {
    for (let left = 0; left < columns; left += block) {
      const bottom = Math.min(top + block, rows);
      const right = Math.min(left + block, columns);
      for (let row = top; row < bottom; row++) {
        for (let column = left; column < right; column++) {
          out[column * rows + row] = matrix[row * columns + column] as number;
        }
      }
    }
  }
  return out;
}

async function elementsOf({ source }: QuantizedData): Promise<Float32Array> {
  if (source.kind === "memory") return toFloat32(source.data);
  return arrayFromBytes("float32", await platform.readRange(source.path, source.offset, source.byteLength));
}

/** The resident tensors that hold a matrix in int8, under the names of its definition. */
export async function quantizedTensors(data: QuantizedData): Promise<Record<string, TensorData>> {
  const { rows, columns, factor, path } = data;
  const elements = await elementsOf(data);
  const [inner, outer] = data.transposed ? [columns, rows] : [rows, columns];
  const matrix = data.transposed ? transposed(elements, rows, columns) : elements;
  const { values, scales } = quantizeColumns(matrix, inner, outer, factor);
  return {
    [`${path}/values`]: { dtype: "int8", shape: [inner, outer], data: values },
    [`${path}/scales`]: { dtype: "float32", shape: [outer], data: scales },
  };
}
