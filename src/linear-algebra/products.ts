import { Matrix } from "ml-matrix";
import { initializer, matMul, mul, sub, type Tensor } from "../graph/index.js";
import type { TensorData } from "../tensor-data.js";
import { product, type Vectors } from "./vectors.js";

type Float32Tensor = TensorData<"float32">;

/** Runs a graph of constants in the engine. */
export interface Computer {
  compute(write: () => Record<string, Tensor>): Promise<Record<string, TensorData>>;
}

/** A matrix that vectors are multiplied with. */
export interface Products {
  readonly rows: number;
  readonly columns: number;
  /** W X */
  times(x: Vectors): Vectors;
  /** W^T Y */
  transposedTimes(y: Vectors): Vectors;
}

/** Row-major float32 elements as a matrix. */
export function toMatrix({ data, shape }: Float32Tensor): Matrix {
  const [rows, columns] = shape as [number, number];
  const matrix = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) matrix.set(i, j, data[i * columns + j] as number);
  return matrix;
}

/** A matrix as row-major float32 elements. */
export function toTensor(matrix: Matrix, shape: readonly number[] = [matrix.rows, matrix.columns]): Float32Tensor {
  return { dtype: "float32", shape, data: Float32Array.from(matrix.to1DArray()) };
}

/** The transpose of a matrix in float32. */
export function transposed({ data, shape }: Float32Tensor): Float32Tensor {
  const [rows, columns] = shape as [number, number];
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j] as number;
  }
  return { dtype: "float32", shape: [columns, rows], data: turned };
}

const constant = (name: string, data: Float32Tensor): Tensor => initializer(name, data, { kind: "memory", data });

/** Products with a weight, in float64. */
export function productsOf(weight: Float32Tensor): Products {
  const [rows, columns] = weight.shape as [number, number];
  const turned = transposed(weight);
  return { rows, columns, times: (x) => product(weight, x), transposedTimes: (y) => product(turned, y) };
}

/** W - scale * B A, in the engine. */
export async function residualOf(
  host: Computer,
  weight: Float32Tensor,
  { a, b }: { readonly a: Float32Tensor; readonly b: Float32Tensor },
  scale: number,
): Promise<Float32Tensor> {
  const { out } = await host.compute(() => ({
    out: sub(constant("weight", weight), mul(matMul(constant("B", b), constant("A", a)), scale)),
  }));
  return out as Float32Tensor;
}
