import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { weightZeroPoint } from "../../onnx/index.js";
import { arrayFromBytes, type TensorData, tensorData, toFloat32 } from "../../tensor-data.js";
import type { QuantizedData, QuantizedForm } from "../definition.js";
import { Scratch } from "./scratch.js";

interface Matrix {
  readonly elements: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * The largest magnitudes of each row and of each column, in one pass.
 * @throws GraftError `not-finite`: rounding would make a number of NaN
 */
function largestMagnitudes({ elements, rows, columns }: Matrix): { byRow: Float32Array; byColumn: Float32Array } {
  let total = 0;
  const byRow = new Float32Array(rows);
  const byColumn = new Float32Array(columns);
  for (let row = 0, at = 0; row < rows; row++) {
    let largest = 0;
    for (let column = 0; column < columns; column++, at++) {
      const magnitude = Math.abs(elements[at] as number);
      total += magnitude;
      if (magnitude > largest) largest = magnitude;
      if (magnitude > (byColumn[column] as number)) byColumn[column] = magnitude;
    }
    byRow[row] = largest;
  }
  if (!Number.isFinite(total)) {
    throw new GraftError(
      "not-finite",
      `a frozen weight of shape [${rows}, ${columns}] holds NaN or infinity`,
      "Load an intact copy of the model.",
    );
  }
  return { byRow, byColumn };
}

/** A column of zeros stays one. */
const inverses = (largest: Float32Array): Float32Array =>
  largest.map((magnitude) => (magnitude > 0 ? 127 / magnitude : 0));

/** 1.5 * 2^52: a double of this size has no room for fractions. */
const wholeNumbersOnly = 6755399441055744;

/** Half to even, as ONNX Runtime rounds activations. No branch on the sign, which would be guessed wrong half the time. */
const nearest = (value: number): number => value + wholeNumbersOnly - wholeNumbersOnly;

/** Each column times its factor, rounded: int8 [rows, columns]. */
function roundColumns({ elements, rows, columns }: Matrix, factors: Float32Array, values: Int8Array): void {
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      values[at] = nearest((elements[at] as number) * (factors[column] as number));
    }
  }
}

/** Each row times its factor, rounded, the rows as columns: int8 [columns, rows]. In blocks that stay in the cache. */
function roundRows({ elements, rows, columns }: Matrix, factors: Float32Array, values: Int8Array): void {
  const block = 64;
  for (let top = 0; top < rows; top += block) {
    const bottom = Math.min(top + block, rows);
    for (let left = 0; left < columns; left += block) {
      const right = Math.min(left + block, columns);
      for (let column = left; column < right; column++) {
        for (let row = top; row < bottom; row++) {
          const value = (elements[row * columns + column] as number) * (factors[row] as number);
          values[column * rows + row] = nearest(value);
        }
      }
    }
  }
}

/** Makes of int8 the same integers plus 128. */
function makeUnsigned(values: Uint8Array): void {
  for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) ^ weightZeroPoint;
}

/** The matrix with the inner side's outlier features multiplied by their factors. */
function withOutliers(
  { elements, rows, columns }: Matrix,
  { transposed, outliers }: QuantizedForm,
  scratch: Scratch,
): Matrix {
  const scaled = arrayFromBytes("float32", scratch.bytes("scaled", elements.byteLength));
  scaled.set(elements);
  for (const { feature, factor } of outliers) {
    const [first, stride, count] = transposed ? [feature, columns, rows] : [feature * columns, 1, columns];
    for (let n = 0, at = first; n < count; n++, at += stride) scaled[at] = (scaled[at] as number) * factor;
  }
  return { elements: scaled, rows, columns };
}

async function elementsOf(data: QuantizedData, scratch: Scratch): Promise<Float32Array> {
  const { source, storage = "float32", rows, columns } = data;
  if (source.kind === "memory") return toFloat32(source.data);
  const bytes = scratch.bytes("elements", source.byteLength);
  await platform.readInto(source.path, source.offset, bytes);
  return toFloat32(tensorData(storage, [rows, columns], arrayFromBytes(storage, bytes)));
}

/** A matrix in int8: float32 element = scale of its column x value. */
export interface QuantizedTensors {
  readonly values: TensorData;
  /** float32 [columns] */
  readonly scales: TensorData;
}

/**
 * The forms of a matrix in int8, by path: each column of each form rounded to -127..127 with a scale of its
 * own. A column of zeros has scale 0. In uint8 all values are larger by 128.
 * @param scratch where the values lie, until it serves the next matrix
 */
export async function quantizedTensors(
  data: QuantizedData,
  scratch = new Scratch(),
): Promise<Record<string, QuantizedTensors>> {
  const { rows, columns, dtype, forms } = data;
  const matrix = { elements: await elementsOf(data, scratch), rows, columns };
  const plain = largestMagnitudes(matrix);
  const round = (use: string, matrix: Matrix, transposed: boolean, largest: Float32Array) => {
    const bytes = scratch.bytes(use, rows * columns);
    const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    (transposed ? roundRows : roundColumns)(matrix, inverses(largest), signed);
    if (dtype === "int8") return signed;
    makeUnsigned(bytes);
    return bytes;
  };
  // Forms that differ in their factors alone share their values.
  const rounded = new Map<boolean, Int8Array | Uint8Array>();
  const tensors: Record<string, QuantizedTensors> = {};
  for (const [index, form] of forms.entries()) {
    const { path, transposed, factor } = form;
    const apart = form.outliers.length > 0 ? withOutliers(matrix, form, scratch) : null;
    const { byRow, byColumn } = apart ? largestMagnitudes(apart) : plain;
    const largest = transposed ? byRow : byColumn;
    const shared = apart ? undefined : rounded.get(transposed);
    const values = shared ?? round(`form ${index}`, apart ?? matrix, transposed, largest);
    if (!apart) rounded.set(transposed, values);
    const scales = largest.map((magnitude) => (magnitude / 127) * factor);
    const shape = transposed ? [columns, rows] : [rows, columns];
    tensors[path] = {
      values: tensorData(dtype, shape, values),
      scales: tensorData("float32", [largest.length], scales),
    };
  }
  return tensors;
}
