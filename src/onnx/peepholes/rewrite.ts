import { applyOp, type Node, nodesInOrder, type OpName, type Tensor, withScope } from "../../graph/index.js";

/** The graph before rewriting, for rules that must know who else reads a tensor. */
export interface RewriteContext {
  readers(tensor: Tensor): readonly Node[];
  /** What stands in the new graph for a tensor of the old one that has been passed already. */
  current(tensor: Tensor): Tensor;
}

/**
 * A peephole: given a node and its inputs in the new graph, writes what should stand in its place, or returns null to
 * leave the node as it is.
 */
export type RewriteRule = (node: Node, inputs: readonly Tensor[], context: RewriteContext) => readonly Tensor[] | null;

/** The graph that computes the same outputs after rules have been applied to each node, first fitting rule first. */
export function rewrite(outputs: readonly Tensor[], rules: readonly RewriteRule[]): Tensor[] {
  const nodes = nodesInOrder(outputs);
  const replaced = new Map<Tensor, Tensor>();
  const current = (tensor: Tensor): Tensor => replaced.get(tensor) ?? tensor;
  const context = { ...contextOf(nodes, outputs), current };
  for (const node of nodes) {
    const inputs = node.inputs.map(current);
    const replacement = firstFit(rules, node, inputs, context) ?? rebuilt(node, inputs);
    for (const [position, output] of node.outputs.entries()) replaced.set(output, replacement[position] as Tensor);
  }
  return outputs.map(current);
}

function firstFit(
  rules: readonly RewriteRule[],
  node: Node,
  inputs: readonly Tensor[],
  context: RewriteContext,
): readonly Tensor[] | null {
  for (const rule of rules) {
    const replacement = withScope(node.scope, () => rule(node, inputs, context));
    if (replacement) return replacement;
  }
  return null;
}

function rebuilt<K extends OpName>(node: Node<K>, inputs: readonly Tensor[]): readonly Tensor[] {
  if (inputs.every((input, position) => input === node.inputs[position])) return node.outputs;
  return applyOp(node.op, inputs, node.attributes, node.scope);
}

function contextOf(nodes: readonly Node[], outputs: readonly Tensor[]): Pick<RewriteContext, "readers"> {
  const readers = new Map<Tensor, Node[]>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      const known = readers.get(input);
      if (known) known.push(node);
      else readers.set(input, [node]);
    }
  }
  const asked = new Set(outputs);
  return {
    // An output of the graph is read by the outside: no peephole may take it for its own.
    readers: (tensor) => (asked.has(tensor) ? [] : (readers.get(tensor) ?? [])),
  };
}
