import type { Node, Tensor } from "./tensor.js";

/** All nodes that the given tensors depend on, each after the nodes that it reads. */
export function nodesInOrder(outputs: readonly Tensor[]): Node[] {
  const order: Node[] = [];
  const entered = new Set<Node>();
  const stack: { node: Node; nextInput: number }[] = [];
  const enter = ({ origin }: Tensor): void => {
    if (origin.kind !== "node" || entered.has(origin.node)) return;
    entered.add(origin.node);
    stack.push({ node: origin.node, nextInput: 0 });
  };
  for (const output of outputs) {
    enter(output);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const input = top.node.inputs[top.nextInput++];
      if (input) {
        enter(input);
      } else {
        order.push(top.node);
        stack.pop();
      }
    }
  }
  return order;
}
