import type { Matrix } from "ml-matrix";
import { largestTriplets } from "../linear-algebra/decompositions.js";
import type { SingularDirections } from "../linear-algebra/directions.js";
import type { Products } from "../linear-algebra/products.js";
import { CounterRng } from "../random.js";
import type { TensorData } from "../tensor-data.js";
import { randomDirections } from "./subspaces.js";

/** An update against its weight, as in table 7 of Hu et al. 2021. */
export interface Amplification {
  readonly rank: number;
  readonly weightNorm: number;
  readonly updateNorm: number;
  /** || U^T W V^T ||_F with the first singular directions of delta W, of W, and with random ones. */
  readonly projections: { readonly update: number; readonly weight: number; readonly random: number };
  /** Norm of delta W by the norm of what W has in delta W's directions; Infinity where W has nothing there. */
  readonly factor: number;
}

/** || U^T W V ||_F in float64: what is small beside W must not drown in rounding. */
export function projectedNorm({ data, shape }: TensorData<"float32">, u: Matrix, v: Matrix): number {
  const [rows, columns] = shape as [number, number];
  const rank = v.columns;
  const right = Float64Array.from(v.to1DArray());
  const image = new Float64Array(rank);
  const product = new Float64Array(u.columns * rank);
  for (let i = 0; i < rows; i++) {
    image.fill(0);
    for (let j = 0; j < columns; j++) {
      const weight = data[i * columns + j] as number;
      for (let k = 0; k < rank; k++) image[k]! += weight * right[j * rank + k]!;
    }
    for (let l = 0; l < u.columns; l++) {
      const left = u.get(i, l);
      for (let k = 0; k < rank; k++) product[l * rank + k]! += left * image[k]!;
    }
  }
  return Math.hypot(...product);
}

function norm(data: Float32Array): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * Compares an update with its weight.
 * @param weight [features out, features in], without the update
 * @param products with that weight
 * @param update its singular triplets; the first `rank` of them are compared
 */
export function amplification(
  weight: TensorData<"float32">,
  products: Products,
  update: SingularDirections,
  rank: number,
  seed = 0,
): Amplification {
  const first = (matrix: Matrix): Matrix => matrix.subMatrix(0, matrix.rows - 1, 0, rank - 1);
  const top = largestTriplets(products, rank, new CounterRng([seed]));
  const updateNorm = Math.hypot(...update.s);
  const along = projectedNorm(weight, first(update.u), first(update.v));
  return {
    rank,
    weightNorm: norm(weight.data as Float32Array),
    updateNorm,
    projections: {
      update: along,
      weight: Math.hypot(...top.s),
      random: projectedNorm(
        weight,
        randomDirections(products.rows, rank, seed + 1),
        randomDirections(products.columns, rank, seed + 2),
      ),
    },
    factor: updateNorm / along,
  };
}
