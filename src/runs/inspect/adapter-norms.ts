import { readTensor, type SafetensorsFile } from "../../safetensors/read.js";
import { elementCount, floatDTypes, toFloat32 } from "../../tensor-data.js";

/** How much an adapter holds in one layer of the model; `layer` is null for what lies in none. */
export interface LayerNorm {
  readonly layer: number | null;
  readonly tensors: number;
  readonly parameters: number;
  /** Frobenius norm of all its tensors together. */
  readonly norm: number;
  /** Frobenius norm of all products B A together, without the scale; undefined where there are none. */
  readonly updateNorm: number | undefined;
}

interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** The squared Frobenius norm of B A: the trace of (BᵀB)(AAᵀ), which are of the rank's size. */
export function squaredProductNorm(b: Matrix, a: Matrix): number {
  const rank = a.rows;
  let sum = 0;
  for (let i = 0; i < rank; i++) {
    for (let j = i; j < rank; j++) {
      let left = 0;
      let right = 0;
      for (let row = 0; row < b.rows; row++) left += b.data[row * rank + i]! * b.data[row * rank + j]!;
      for (let column = 0; column < a.columns; column++) {
        right += a.data[i * a.columns + column]! * a.data[j * a.columns + column]!;
      }
      sum += (i === j ? 1 : 2) * left * right;
    }
  }
  // Rounding may leave less than nothing of a product that is zero.
  return Math.max(0, sum);
}

const FACTOR = /^(.*\.lora_)([AB])((?:\.\w+)?)$/;

/** The first number in a name, which is its layer's. */
function layerOf(name: string): number | null {
  const found = /\.(\d+)\./.exec(name)?.[1];
  return found === undefined ? null : Number(found);
}

/** The norms of an adapter's tensors, layer by layer; integers are counted and have no norm. All tensors are read, one by one. */
export async function layerNorms(file: SafetensorsFile): Promise<LayerNorm[]> {
  const layers = new Map<
    number | null,
    { tensors: number; parameters: number; squares: number; updates: number | undefined }
  >();
  const waiting = new Map<string, Matrix>();
  for (const entry of file.entries.values()) {
    const layer = layerOf(entry.name);
    const sums = layers.get(layer) ?? { tensors: 0, parameters: 0, squares: 0, updates: undefined };
    layers.set(layer, sums);
    sums.tensors++;
    sums.parameters += elementCount(entry.shape);
    if (!floatDTypes.includes(entry.dtype)) continue;
    const data = toFloat32(await readTensor(entry));
    sums.squares += data.reduce((sum, value) => sum + value * value, 0);
    const [, before = "", letter, after = ""] = FACTOR.exec(entry.name) ?? [];
    if (letter === undefined || entry.shape.length !== 2 || after === ".bias") continue;
    const [rows, columns] = entry.shape as [number, number];
    const other = waiting.get(before + after);
    if (!other) {
      waiting.set(before + after, { rows, columns, data });
      continue;
    }
    waiting.delete(before + after);
    const own = { rows, columns, data };
    const [b, a] = letter === "A" ? [other, own] : [own, other];
    if (b.columns === a.rows) sums.updates = (sums.updates ?? 0) + squaredProductNorm(b, a);
  }
  return [...layers]
    .sort(([a], [b]) => (a ?? Number.MAX_SAFE_INTEGER) - (b ?? Number.MAX_SAFE_INTEGER))
    .map(([layer, { tensors, parameters, squares, updates }]) => ({
      layer,
      tensors,
      parameters,
      norm: Math.sqrt(squares),
      updateNorm: updates === undefined ? undefined : Math.sqrt(updates),
    }));
}
