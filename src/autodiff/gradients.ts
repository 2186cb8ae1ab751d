import { GraftError } from "../errors.js";
import { add, describeType, type Node, type OpName, ops, scalar, type Tensor, withScope } from "../graph/index.js";
import { nodesInOrder } from "../graph/topology.js";
import { floatDTypes } from "../tensor-data.js";

/**
 * Writes the gradients of a scalar with respect to some tensors: one reverse walk that visits only what lies
 * between the loss and those tensors. Nothing is written for frozen weights, nor below the first trainable tensor.
 * @param loss float32 scalar of shape `[]`
 * @param wrt the trainable tensors
 * @returns for each tensor its gradient (same shape), or null where the loss does not depend on it
 * @throws GraftError `shape-mismatch` for a loss that is no scalar, `unsupported` for an operator without a gradient
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): (Tensor | null)[] {
  if (loss.shape.length !== 0 || loss.dtype !== "float32") {
    throw new GraftError(
      "shape-mismatch",
      `gradients of ${describeType(loss)}: the loss must be a float32 scalar`,
      "Reduce the loss with reduceMean or reduceSum first.",
    );
  }
  const nodes = nodesInOrder([loss]);
  const trainable = new Set<Tensor>(wrt);
  for (const node of nodes) {
    if (!node.inputs.some((input) => trainable.has(input))) continue;
    // Integers and conditions are piecewise constant: no gradient passes through them.
    for (const output of node.outputs) if (floatDTypes.includes(output.dtype)) trainable.add(output);
  }
  const gradientOf = new Map<Tensor, Tensor>([[loss, scalar(1)]]);
  for (const node of nodes.reverse()) {
    if (!node.outputs.some((output) => trainable.has(output) && gradientOf.has(output))) continue;
    const inputGradients = withScope(`${node.scope}'`, () => inputGradientsOf(node, gradientOf, trainable));
    for (const [position, gradient] of inputGradients.entries()) {
      const input = node.inputs[position] as Tensor;
      if (!gradient || !trainable.has(input)) continue;
      const sum = gradientOf.get(input);
      gradientOf.set(input, sum ? withScope(`${node.scope}'`, () => add(sum, gradient)) : gradient);
    }
  }
  return wrt.map((tensor) => gradientOf.get(tensor) ?? null);
}

function inputGradientsOf<K extends OpName>(
  node: Node<K>,
  gradientOf: ReadonlyMap<Tensor, Tensor>,
  trainable: ReadonlySet<Tensor>,
): (Tensor | null)[] {
  const rule = ops[node.op].gradient;
  if (!rule) {
    throw new GraftError(
      "unsupported",
      `the operator ${node.op} has no gradient, but a trainable tensor reaches the loss through it${node.scope ? ` (in ${node.scope})` : ""}`,
      "Use differentiable operators between trainable tensors and the loss.",
    );
  }
  return rule({
    inputs: node.inputs,
    outputs: node.outputs,
    attributes: node.attributes,
    outputGradients: node.outputs.map((output) => gradientOf.get(output) ?? null),
    needed: node.inputs.map((input) => trainable.has(input)),
  });
}
