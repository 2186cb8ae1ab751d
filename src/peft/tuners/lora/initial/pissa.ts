import { Matrix } from "ml-matrix";
import { parameterRandom } from "../../../../nn/index.js";
import type { TensorData } from "../../../../tensor-data.js";
import { baseWeight, once, requireRank } from "./base-weight.js";
import {
  decompose,
  largestTriplets,
  randomisedTriplets,
  type Triplets,
} from "../../../../linear-algebra/decompositions.js";
import {
  type Products,
  productsOf,
  residualOf,
  toMatrix,
  toTensor,
  transposed,
} from "../../../../linear-algebra/products.js";
import type { InitialContext, InitialFactors, Initialization } from "./types.js";

/** Up to this size all singular vectors are computed. */
const SMALL = 128;

/** Where the random vectors begin: the same for every adapter, so that loading one finds the residual that it left. */
const SEED = 0;

type Decompose = (weight: TensorData<"float32">, products: Products, context: InitialContext) => Promise<Triplets>;

/** A = sqrt(S / s) V^T, B = U sqrt(S / s). */
function factorsOf({ u, s, v }: Triplets, scaling: number) {
  const roots = Matrix.diag(s.map((value) => Math.sqrt(value / scaling)));
  return { a: toTensor(roots.mmul(v.transpose())), b: toTensor(u.mmul(roots)) };
}

function principal(name: string, decomposed: Decompose): Initialization {
  return (context): InitialFactors => {
    requireRank(context, name);
    const { host, scaling, matrix } = context;
    const made = once(async () => {
      const weight = await baseWeight(context);
      const factors = factorsOf(await decomposed(weight, productsOf(host, weight), context), scaling);
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
export const pissa = principal("pissa", async (weight, products, context) => {
  const isSmall = Math.min(products.rows, products.columns) <= SMALL;
  return isSmall ? decompose(toMatrix(weight), context.r) : largestTriplets(products, context.r, randomOf(context));
});

/** The same by randomised decomposition, with some iterations: approximate, and several times as fast. */
export const pissaFast = (iterations: number): Initialization =>
  principal(`pissa_niter_${iterations}`, (_weight, products, context) =>
    randomisedTriplets(products, context.r, iterations, randomOf(context)),
  );
