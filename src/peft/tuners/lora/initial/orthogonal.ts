import { Matrix } from "ml-matrix";
import { GraftError } from "../../../../errors.js";
import { basisOf, randomNormal } from "../../../../linear-algebra/decompositions.js";
import type { CounterRng } from "../../../../random.js";
import type { InitialContext, InitialFactors } from "./types.js";

/** PEFT's factor: both begin small. */
const SIZE = 0.1;

/** Every other row, from a first one. */
const alternate = (matrix: Matrix, first: number): Matrix =>
  new Matrix(Array.from({ length: matrix.rows / 2 }, (_, index) => matrix.getRow(2 * index + first)));

/**
 * A and B in complementary halves of one random orthogonal basis, so that B A is zero while neither factor is:
 * A = (X Q_odd)^T / 10, B = (Y^T Q_even) / 10.
 */
export function orthogonal({ r, matrix: { path, inFeatures, outFeatures } }: InitialContext): InitialFactors {
  if (r % 2 !== 0) {
    throw new GraftError(
      "invalid-config",
      `initLoraWeights "orthogonal" needs an even rank, and ${path} has rank ${r}`,
      "Set `r` to an even number.",
      { option: "r" },
    );
  }
  // Both factors stand on one basis: whichever is initialised first draws it.
  let basis: Matrix | undefined;
  const halfOf = (random: CounterRng, first: number): Matrix => {
    basis ??= basisOf(randomNormal(r, r, random));
    return alternate(basis, first);
  };
  const elements = (matrix: Matrix): Float32Array => Float32Array.from(matrix.mul(SIZE).to1DArray());
  return {
    a: {
      initializer: (_shape, random) => {
        const odd = halfOf(random, 1);
        return elements(
          randomNormal(inFeatures, r / 2, random)
            .mmul(odd)
            .transpose(),
        );
      },
    },
    b: {
      initializer: (_shape, random) => {
        const even = halfOf(random, 0);
        return elements(
          randomNormal(r / 2, outFeatures, random)
            .transpose()
            .mmul(even),
        );
      },
    },
  };
}
