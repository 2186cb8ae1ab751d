import { Matrix } from "ml-matrix";
import { basisOf } from "../linear-algebra/decompositions.js";
import { decomposed, type SingularDirections } from "../linear-algebra/directions.js";

/** A low-rank update of one weight: delta W = scaling * B A. */
export interface LowRankUpdate {
  /** Path of the layer in the model. */
  readonly layer: string;
  /** [r, features in] */
  readonly a: Matrix;
  /** [features out, r] */
  readonly b: Matrix;
  readonly scaling: number;
}

/**
 * The singular values and vectors of scaling * B A, by QR of both factors and the decomposition of the r x r matrix
 * between them: exact, and as small as the rank. Values that are zero but for rounding are among them.
 */
export function decomposeUpdate({ a, b, scaling }: LowRankUpdate): SingularDirections {
  const rank = a.rows;
  if (rank >= Math.min(a.columns, b.rows)) return decomposed(Matrix.mul(b.mmul(a), scaling));
  const left = basisOf(b);
  const right = basisOf(a.transpose());
  const inner = left.transpose().mmul(b).mmul(a.mmul(right));
  const { u, s, v } = decomposed(Matrix.mul(inner, scaling));
  return { u: left.mmul(u), s, v: right.mmul(v) };
}

/** The right singular vectors of A in columns [features in, r], the largest value first, as the paper's section 7.2 has it. */
export function directionsOfA({ a }: Pick<LowRankUpdate, "a">): Matrix {
  const rank = a.rows;
  if (rank >= a.columns) return decomposed(a).v;
  const basis = basisOf(a.transpose());
  return basis.mmul(decomposed(a.mmul(basis)).v);
}
