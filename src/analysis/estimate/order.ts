import type { GraphProto, NodeProto } from "../../onnx/index.js";

/**
 * The order in which ONNX Runtime runs a graph: a walk backwards from its leaves, the last leaf first, and from each node
 * to what it reads, the last of the file first.
 */
export function executionOrder({ node: nodes }: Pick<GraphProto, "node">): NodeProto[] {
  const producer = new Map<string, number>();
  for (const [index, { output }] of nodes.entries()) for (const name of output) producer.set(name, index);
  const sources = nodes.map(({ input }) => [
    ...new Set(input.flatMap((name) => (producer.has(name) ? [producer.get(name) as number] : []))),
  ]);
  const isRead = new Set(sources.flat());
  const stack = nodes.flatMap((_, index) => (isRead.has(index) ? [] : [{ index, leaves: false }]));
  const visited = new Set<number>();
  const order: NodeProto[] = [];
  for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
    const { index, leaves } = entry;
    if (leaves) {
      order.push(nodes[index] as NodeProto);
      continue;
    }
    if (visited.has(index)) continue;
    visited.add(index);
    stack.push({ index, leaves: true });
    const next = (sources[index] as number[]).filter((source) => !visited.has(source)).sort((a, b) => a - b);
    stack.push(...next.map((source) => ({ index: source, leaves: false })));
  }
  return order;
}
