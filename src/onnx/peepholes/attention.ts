import { mul, type Node, type OpName, reduceSum, type Tensor } from "../../graph/index.js";
import type { RewriteContext, RewriteRule } from "./rewrite.js";

/**
 * The softmax gradient's row sums in attention O = P V: sum(dP * P) over the keys equals sum(dO * O) over the head's
 * features, because dP = dO V'. Features are fewer than keys, and the product dP * P need not be written at all.
 */
export const attentionRowSums: RewriteRule = (node, _, context) => {
  const { attributes, inputs } = node as Node<"reduceSum">;
  const [product] = inputs as [Tensor];
  if (node.op !== "reduceSum" || !attributes.keepDims || attributes.axes.join() !== `${product.shape.length - 1}`) {
    return null;
  }
  const [scoreGradient, probabilities] = madeBy(product, "mul")?.inputs ?? [];
  const backward = scoreGradient && madeBy(scoreGradient, "matMul");
  if (!backward || !probabilities || !madeBy(probabilities, "softmax")) return null;
  const [outputGradient, values] = backward.inputs as [Tensor, Tensor];
  const output = weightedSum(probabilities, values, context);
  if (!output || !isPlain(backward, true) || output.shape.join() !== outputGradient.shape.join()) return null;
  return [reduceSum(mul(context.current(outputGradient), context.current(output)), [-1], true)];
};

function madeBy<K extends OpName>({ origin }: Tensor, op: K): Node<K> | undefined {
  return origin.kind === "node" && origin.node.op === op ? (origin.node as unknown as Node<K>) : undefined;
}

const isPlain = ({ attributes }: Node<"matMul">, transposeB: boolean): boolean =>
  !attributes.transposeA && attributes.transposeB === transposeB && attributes.alpha === 1;

/** P V, where the forward pass multiplies these two. */
function weightedSum(probabilities: Tensor, values: Tensor, context: RewriteContext): Tensor | undefined {
  const product = context
    .readers(probabilities)
    .find(({ op, inputs }) => op === "matMul" && inputs[0] === probabilities && inputs[1] === values);
  return product && isPlain(product as Node<"matMul">, false) ? product.outputs[0] : undefined;
}
