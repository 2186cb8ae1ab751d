import { matMul, type Node, scalarValue, type Tensor } from "../../graph/index.js";
import type { RewriteRule } from "./rewrite.js";

/** matMul(x * c, w) with a constant c: the kernel multiplies by c on its way. */
export const scaledProduct: RewriteRule = (node, [left, right]) => {
  if (node.op !== "matMul" || !left || !right || left.origin.kind !== "node") return null;
  const factor = left.origin.node;
  if (factor.op !== "mul") return null;
  const [x, c] = factor.inputs as [Tensor, Tensor];
  const value = scalarValue(c);
  if (value === null) return null;
  const { attributes } = node as Node<"matMul">;
  return [matMul(x, right, { ...attributes, alpha: attributes.alpha * value })];
};
