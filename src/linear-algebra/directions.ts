import { Matrix } from "ml-matrix";
import { decompose, type Triplets } from "./decompositions.js";
import type { Vectors } from "./vectors.js";

/** Singular values, the largest first, with their vectors as the columns of matrices. */
export interface SingularDirections {
  /** [rows, values] */
  readonly u: Matrix;
  readonly s: readonly number[];
  /** [columns, values] */
  readonly v: Matrix;
}

const inColumns = ({ length, count, data }: Vectors): Matrix => Matrix.from1DArray(count, length, data).transpose();

/** Triplets with their vectors in columns. */
export const inMatrices = ({ u, s, v }: Triplets): SingularDirections => ({ u: inColumns(u), s, v: inColumns(v) });

/** All triplets of a small matrix, or as many as are asked for. */
export const decomposed = (matrix: Matrix, count?: number): SingularDirections => inMatrices(decompose(matrix, count));
