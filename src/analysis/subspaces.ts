import type { Matrix } from "ml-matrix";
import { GraftError } from "../errors.js";
import { basisOf, randomNormal } from "../linear-algebra/decompositions.js";
import { CounterRng } from "../random.js";

/** Rows are i = 1.., columns j = 1..: how much of the first i directions of one space lies in the first j of another. */
export type Grid = readonly (readonly number[])[];

/**
 * phi(A, B, i, j) = || U_A^iT U_B^j ||_F^2 / min(i, j) for all i and j (Hu et al. 2021, equation 4): 1 where the smaller
 * subspace lies in the other, 0 where they are orthogonal.
 * @param ua orthonormal columns [d, m]
 * @param ub orthonormal columns [d, n]
 * @throws GraftError `shape-mismatch` for vectors of different lengths
 */
export function subspaceSimilarity(ua: Matrix, ub: Matrix): number[][] {
  if (ua.rows !== ub.rows) {
    throw new GraftError(
      "shape-mismatch",
      `subspaces of R^${ua.rows} and of R^${ub.rows} cannot be compared`,
      "Compare adapters of the same layers of the same base model.",
    );
  }
  const cosines = ua.transpose().mmul(ub);
  const sums: number[][] = [];
  for (let i = 0; i < cosines.rows; i++) {
    const row: number[] = [];
    let along = 0;
    for (let j = 0; j < cosines.columns; j++) {
      along += cosines.get(i, j) ** 2;
      row.push(along + (sums[i - 1]?.[j] ?? 0));
    }
    sums.push(row);
  }
  return sums.map((row, i) => row.map((sum, j) => sum / Math.min(i + 1, j + 1)));
}

/**
 * The projection metric on the Grassmann manifold that belongs to phi: d = sqrt(p - sum sigma^2) with p = min(i, j), so that
 * phi = 1 - d^2 / p. (The paper's appendix G prints (1 - d^2) / p, which phi does not equal.)
 */
export function grassmannDistance(similarity: Grid): number[][] {
  return similarity.map((row, i) => row.map((phi, j) => Math.sqrt(Math.max(0, Math.min(i + 1, j + 1) * (1 - phi)))));
}

/** Orthonormal columns [d, count] that point nowhere in particular: the control of figure 4. */
export function randomDirections(d: number, count: number, seed: number): Matrix {
  return basisOf(randomNormal(d, Math.min(d, count), new CounterRng([seed, d, count])));
}
