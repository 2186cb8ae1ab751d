import {
  decompose,
  largestTriplets,
  randomisedTriplets,
  type Triplets,
} from "../../../../linear-algebra/decompositions.js";
import { productsOf, residualOf, toMatrix, transposed } from "../../../../linear-algebra/products.js";
import type { Vectors } from "../../../../linear-algebra/vectors.js";
import { parameterRandom } from "../../../../nn/index.js";
import type { TensorData } from "../../../../tensor-data.js";
import { baseWeight, once, requireRank } from "./base-weight.js";
import type { InitialContext, InitialFactors, Initialization } from "./types.js";

/** Up to this size all singular vectors are computed. */
const SMALL = 128;

/** Where the random vectors begin: the same for every adapter, so that loading one finds the residual that it left. */
const SEED = 0;

type Decompose = (weight: TensorData<"float32">, context: InitialContext) => Triplets;

/** A = sqrt(S / s) V^T, B = U sqrt(S / s). */
function factorsOf({ u, s, v }: Triplets, scaling: number) {
  const rows = (vectors: Vectors): TensorData<"float32"> => ({
    dtype: "float32",
    shape: [vectors.count, vectors.length],
    data: Float32Array.from(
      vectors.data,
      (value, at) => value * Math.sqrt((s[Math.floor(at / vectors.length)] as number) / scaling),
    ),
  });
  return { a: rows(v), b: transposed(rows(u)) };
}

function principal(name: string, decomposed: Decompose): Initialization {
  return (context): InitialFactors => {
    requireRank(context, name);
    const { host, scaling, matrix } = context;
    const made = once(async () => {
      const weight = await baseWeight(context);
      const factors = factorsOf(decomposed(weight, context), scaling);
      return { ...factors, residual: await residualOf(host, weight, factors, scaling) };
    });
    return {
      a: { madeBy: async () => (await made()).a },
      b: { madeBy: async () => (await made()).b },
      residual: async () => {
        const { residual } = await made();
        return matrix.isTransposed ? transposed(residual) : residual;
      },
    };
  };
}

const randomOf = ({ matrix }: InitialContext) => parameterRandom(SEED, matrix.path);

/**
 * The principal singular vectors (PiSSA, Meng et al. 2024): B A holds the largest singular values of the weight, and the
 * base what is left.
 */
export const pissa = principal("pissa", (weight, context) =>
  Math.min(...weight.shape) <= SMALL
    ? decompose(toMatrix(weight), context.r)
    : largestTriplets(productsOf(weight), context.r, randomOf(context)),
);

/** The same by randomised decomposition, with some iterations: approximate, and several times as fast. */
export const pissaFast = (iterations: number): Initialization =>
  principal(`pissa_niter_${iterations}`, (weight, context) =>
    randomisedTriplets(productsOf(weight), context.r, iterations, randomOf(context)),
  );
