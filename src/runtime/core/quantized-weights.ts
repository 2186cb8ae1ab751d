import { platform } from "#platform";
import { arrayFromBytes, bytesOf, toFloat32 } from "../../tensor-data.js";
import type { MountedData, ProgramDefinition, QuantizedData } from "../definition.js";

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
      values[at] = Math.round((matrix[at] as number) * (inverse[column] as number));
    }
  }
  return { values, scales: largest.map((magnitude) => (magnitude / 127) * factor) };
}

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

/** The int8 weights that a definition asks for, made from its float32 ones, as data to mount. */
export async function quantizedWeights(definition: ProgramDefinition): Promise<MountedData[]> {
  const mounts: MountedData[] = [];
  for (const data of definition.quantizedData ?? []) {
    const { rows, columns, factor, path } = data;
    const elements = await elementsOf(data);
    const { values, scales } = data.transposed
      ? quantizeColumns(transposed(elements, rows, columns), columns, rows, factor)
      : quantizeColumns(elements, rows, columns, factor);
    mounts.push({ path: `${path}/values`, data: bytesOf({ dtype: "int8", shape: [values.length], data: values }) });
    mounts.push({ path: `${path}/scales`, data: bytesOf({ dtype: "float32", shape: [scales.length], data: scales }) });
  }
  return mounts;
}
