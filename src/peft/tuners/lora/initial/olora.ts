import { basisOf, columnsOf } from "../../../../linear-algebra/decompositions.js";
import { productsOf, residualOf, toMatrix, toTensor, transposed } from "../../../../linear-algebra/products.js";
import { baseWeight, once, requireRank } from "./base-weight.js";
import type { InitialContext, InitialFactors } from "./types.js";

/**
 * The first columns of Q and rows of R of W = Q R (OLoRA, Buyukakyuz 2024); the base keeps W - s B A. As in PEFT the
 * factors are not divided by the scale. The first columns of Q are a basis of the first columns of W, and R is Q^T W.
 */
export function olora(context: InitialContext): InitialFactors {
  requireRank(context, "olora");
  const { host, scaling, r, matrix } = context;
  const made = once(async () => {
    const weight = await baseWeight(context);
    const columns = toMatrix(weight).subMatrix(0, matrix.outFeatures - 1, 0, r - 1);
    const q = basisOf(columns);
    const { data } = productsOf(weight).transposedTimes(columnsOf(q, r));
    const a = { dtype: "float32", shape: [r, matrix.inFeatures], data: Float32Array.from(data) } as const;
    const factors = { a, b: toTensor(q) };
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
}
