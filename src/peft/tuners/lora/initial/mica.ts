import { minorLeftVectors } from "../../../../linear-algebra/decompositions.js";
import { toMatrix, toTensor } from "../../../../linear-algebra/products.js";
import { zeros } from "../../../../nn/index.js";
import { baseWeight, requireRank } from "./base-weight.js";
import type { InitialContext, InitialFactors } from "./types.js";

/** The left singular vectors of the smallest singular values as B, which is frozen, and A zero (MiCA). */
export function mica(context: InitialContext): InitialFactors {
  requireRank(context, "mica");
  const minor = async () => toTensor(minorLeftVectors(toMatrix(await baseWeight(context)), context.r));
  return { a: { initializer: zeros }, b: { madeBy: minor, trainable: false } };
}
