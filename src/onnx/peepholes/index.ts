import type { Tensor } from "../../graph/index.js";
import { attentionRowSums } from "./attention.js";
import { sharedGelu } from "./gelu.js";
import { rewrite } from "./rewrite.js";
import { scaledProduct } from "./scaled-product.js";

/** Rewritings that give the same numbers (to rounding) in fewer passes over memory. */
export function applyPeepholes(outputs: readonly Tensor[]): Tensor[] {
  return rewrite(outputs, [sharedGelu(), scaledProduct, attentionRowSums]);
}
