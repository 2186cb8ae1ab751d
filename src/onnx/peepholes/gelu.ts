import { add, after, erf, exp, matMul, mul, type Node, sub, type Tensor } from "../../graph/index.js";
import type { RewriteContext, RewriteRule } from "./rewrite.js";

/*
 * GELU of x, with u = x / sqrt(2) and t = 1 + erf(u):
 *   gelu(x)  = x t / 2                        = (u t) / sqrt(2)
 *   gelu'(x) = t / 2 + x exp(-x^2 / 2) / sqrt(2 pi) = (t + u exp(ln(2 / sqrt(pi)) - u^2)) / 2
 * t serves forward and backward. The derivative is made in the forward pass and is all that is kept of GELU for the
 * backward pass: u and t would take twice the memory. Where x is a product plus a bias, both give u at no cost;
 * elsewhere (an adapter's share is added behind the bias) u is one product by a constant. The constant factors behind
 * go into the products that follow.
 */

const logOfTwoOverRootPi = Math.log(2 / Math.sqrt(Math.PI));

interface SharedGelu {
  /** sqrt(2) gelu(x) */
  readonly scaled: Tensor;
  /** 2 gelu'(x) */
  readonly slope: Tensor;
}

/** Fresh for each graph: it remembers which tensors it has rewritten. */
export function sharedGelu(): RewriteRule {
  const shared = new Map<Tensor, SharedGelu>();
  const share = (x: Tensor, u: Tensor): SharedGelu => {
    const t = add(erf(u), 1);
    const slope = add(t, mul(u, exp(sub(logOfTwoOverRootPi, mul(u, u)))));
    const parts = { scaled: after(mul(u, t), slope), slope };
    shared.set(x, parts);
    return parts;
  };
  return (node, inputs, context) => {
    const [output] = node.outputs as [Tensor];
    if (node.op === "add" && isLinear(node, context) && feedsOnlyGelu(output, context)) {
      const u = halfRootScaled(inputs);
      if (!u) return null;
      share(output, u);
      return [u];
    }
    if (node.op !== "gelu" && node.op !== "geluGradient") return null;
    const [x] = node.inputs as [Tensor];
    if (!shared.has(x) && !feedsGelu(x, context)) return null;
    const { scaled, slope } = shared.get(x) ?? share(x, mul(inputs[0] as Tensor, Math.SQRT1_2));
    if (node.op === "gelu") return [mul(scaled, Math.SQRT1_2)];
    return [mul(mul(inputs[1] as Tensor, slope), 0.5)];
  };
}

/** A product plus a bias, the product read by nobody else. */
function isLinear(node: Node, context: RewriteContext): boolean {
  const [product] = node.inputs as [Tensor];
  return product.origin.kind === "node" && product.origin.node.op === "matMul" && context.readers(product).length === 1;
}

/** Forward and backward both: with the forward alone ONNX Runtime's one-pass Gelu is faster. */
function feedsGelu(x: Tensor, context: RewriteContext): boolean {
  const ops = geluReaders(x, context).map((reader) => reader.op);
  return ops.includes("gelu") && ops.includes("geluGradient");
}

/** Nobody else needs x itself, so that u may stand in its place. */
function feedsOnlyGelu(x: Tensor, context: RewriteContext): boolean {
  return feedsGelu(x, context) && geluReaders(x, context).length === context.readers(x).length;
}

function geluReaders(x: Tensor, context: RewriteContext): readonly Node[] {
  return context.readers(x).filter(({ op, inputs }) => (op === "gelu" || op === "geluGradient") && inputs[0] === x);
}

function halfRootScaled([product, bias]: readonly Tensor[]): Tensor | null {
  if (!product || !bias || product.origin.kind !== "node" || product.origin.node.op !== "matMul") return null;
  const { inputs, attributes } = product.origin.node as Node<"matMul">;
  const [x, weight] = inputs as [Tensor, Tensor];
  return add(matMul(x, weight, { ...attributes, alpha: attributes.alpha * Math.SQRT1_2 }), mul(bias, Math.SQRT1_2));
}
