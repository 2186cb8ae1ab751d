import { add, erf, exp, matMul, mul, type Node, sub, type Tensor } from "../../graph/index.js";
import type { RewriteContext, RewriteRule } from "./rewrite.js";

/*
 * GELU of a linear layer's output x, with u = x / sqrt(2) and t = 1 + erf(u):
 *   gelu(x)  = x t / 2                        = (u t) / sqrt(2)
 *   gelu'(x) = t / 2 + x exp(-x^2 / 2) / sqrt(2 pi) = (t + u exp(ln(2 / sqrt(pi)) - u^2)) / 2
 * The layer's product and bias give u at no cost, t serves forward and backward, and the constant factors behind
 * go into the products that follow.
 */

const logOfTwoOverRootPi = Math.log(2 / Math.sqrt(Math.PI));

interface SharedGelu {
  readonly u: Tensor;
  readonly t: Tensor;
}

/** Fresh for each graph: it remembers which tensors it has rewritten. */
export function sharedGelu(): RewriteRule {
  const shared = new Map<Tensor, SharedGelu>();
  return (node, inputs, context) => {
    const [output] = node.outputs as [Tensor];
    if (node.op === "add" && isLinear(node, context) && feedsOnlyGelu(output, context)) {
      const u = halfRootScaled(inputs);
      if (!u) return null;
      shared.set(output, { u, t: add(erf(u), 1) });
      return [u];
    }
    const parts = shared.get(node.inputs[0] as Tensor);
    if (!parts) return null;
    const { u, t } = parts;
    if (node.op === "gelu") return [mul(mul(u, t), Math.SQRT1_2)];
    const density = mul(u, exp(sub(logOfTwoOverRootPi, mul(u, u))));
    return [mul(mul(inputs[1] as Tensor, add(t, density)), 0.5)];
  };
}

/** A product plus a bias, the product read by nobody else. */
function isLinear(node: Node, context: RewriteContext): boolean {
  const [product] = node.inputs as [Tensor];
  return product.origin.kind === "node" && product.origin.node.op === "matMul" && context.readers(product).length === 1;
}

/** Forward and backward both: with the forward alone ONNX Runtime's one-pass Gelu is faster. */
function feedsOnlyGelu(x: Tensor, context: RewriteContext): boolean {
  const readers = context.readers(x);
  const ops = new Set(readers.map((reader) => reader.op));
  return (
    ops.size === 2 && ops.has("gelu") && ops.has("geluGradient") && readers.every((reader) => reader.inputs[0] === x)
  );
}

function halfRootScaled([product, bias]: readonly Tensor[]): Tensor | null {
  if (!product || !bias || product.origin.kind !== "node" || product.origin.node.op !== "matMul") return null;
  const { inputs, attributes } = product.origin.node as Node<"matMul">;
  const [x, weight] = inputs as [Tensor, Tensor];
  return add(matMul(x, weight, { ...attributes, alpha: attributes.alpha * Math.SQRT1_2 }), mul(bias, Math.SQRT1_2));
}
