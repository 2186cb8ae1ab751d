import { Matrix } from "ml-matrix";
import { initializer, matMul, mul, sub, type Tensor } from "../../../../graph/index.js";
import { elementCount, type TensorData } from "../../../../tensor-data.js";
import type { Computing } from "../../../combination.js";
import type { Host } from "../../../tuner.js";

type Float32Tensor = TensorData<"float32">;

/** From this many elements on a product is the engine's: JavaScript takes longer than a program takes to be made. */
const ENGINE_FROM = 2 ** 16;

/** A matrix that others are multiplied with. */
export interface Products {
  readonly rows: number;
  readonly columns: number;
  /** W X */
  times(x: Matrix): Promise<Matrix>;
  /** W^T Y */
  transposedTimes(y: Matrix): Promise<Matrix>;
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

/** Products with a weight: small ones in float64, large ones in float32 by the engine. */
export function productsOf(host: Computing, weight: Float32Tensor): Products {
  const [rows, columns] = weight.shape as [number, number];
  if (elementCount(weight.shape) < ENGINE_FROM) {
    const matrix = toMatrix(weight);
    const turned = matrix.transpose();
    return {
      rows,
      columns,
      times: async (x) => matrix.mmul(x),
      transposedTimes: async (y) => turned.mmul(y),
    };
  }
  const product = async (x: Matrix, transposeA: boolean): Promise<Matrix> => {
    const operand = constant("operand", toTensor(x));
    const { out } = await host.compute(() => ({ out: matMul(constant("weight", weight), operand, { transposeA }) }));
    return toMatrix(out as Float32Tensor);
  };
  return { rows, columns, times: (x) => product(x, false), transposedTimes: (y) => product(y, true) };
}

/** W - scale * B A, in the engine. */
export async function residualOf(
  host: Host,
  weight: Float32Tensor,
  { a, b }: { readonly a: Float32Tensor; readonly b: Float32Tensor },
  scale: number,
): Promise<Float32Tensor> {
  const { out } = await host.compute(() => ({
    out: sub(constant("weight", weight), mul(matMul(constant("B", b), constant("A", a)), scale)),
  }));
  return out as Float32Tensor;
}
