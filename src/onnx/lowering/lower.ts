import type { Node, OpName, Tensor } from "../../graph/index.js";
import { nodesInOrder } from "../../graph/index.js";
import type { GraphProto, NodeProto, TensorProto } from "../proto/index.js";
import { type Deferred, Emitter, type GraphFacts } from "./emitter.js";
import type { LoweringTable } from "./table.js";

export interface LoweringRequest {
  readonly name: string;
  /** Outputs by name, in the order in which they should be computed. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly table: LoweringTable;
  /** How an initialiser is written: its bytes, or where they lie. */
  readonly writeInitializer: (tensor: Tensor, name: string) => TensorProto;
  /** Inputs to declare although nothing may read them. */
  readonly inputs?: readonly Tensor[];
}

/**
 * Writes a symbolic graph as an ONNX graph, with the shapes of its values: ONNX Runtime loses named dimensions at
 * reshapes, and planning memory for values of unknown shape takes it several times as long.
 */
export function lowerGraph(request: LoweringRequest): GraphProto {
  const outputs = Object.entries(request.outputs);
  const nodes = nodesInOrder(outputs.map(([, tensor]) => tensor));
  const emitter = new Emitter(graphFacts(nodes, request), request.writeInitializer);
  for (const input of request.inputs ?? []) emitter.nameOf(input);
  for (const node of nodes) {
    emitter.inScope(node.scope, () => {
      const written = lowerNode(request.table, node, emitter);
      if (typeof written === "object" && "write" in written) {
        emitter.bindDeferred(node.outputs[0] as Tensor, written);
        return;
      }
      const names = [written].flat();
      for (const [position, tensor] of node.outputs.entries()) emitter.bind(tensor, names[position] as string);
    });
  }
  emitter.inScope("output", () => {
    // An Identity of its own for each output: a name of the caller's choice, also for inputs and shared values.
    for (const [name, tensor] of outputs) {
      const value = emitter.nameOf(tensor);
      const node = emitter.nodes.length;
      emitter.emit("Identity", [value]);
      (emitter.nodes[node] as NodeProto).output = [name];
    }
  });
  return {
    name: request.name,
    node: [...read(emitter.firstNodes, emitter.nodes), ...lastLeafFirst(emitter.nodes)],
    initializer: emitter.initializers,
    input: emitter.inputs,
    output: [
      ...outputs.map(([name, { dtype, shape }]) => ({ name, dtype, shape: [...shape] })),
      ...emitter.measurements,
    ],
    valueInfo: emitter.valueInfo(),
  };
}

function lowerNode<K extends OpName>(
  table: LoweringTable,
  node: Node<K>,
  emitter: Emitter,
): string | readonly string[] | Deferred {
  return table[node.op](node, emitter);
}

function graphFacts(nodes: readonly Node[], request: LoweringRequest): GraphFacts {
  const readers = new Map<Tensor, Node[]>();
  const dimOrigins = new Map<string, { input: Tensor; axis: number }>();
  const noteDims = (input: Tensor): void => {
    if (input.origin.kind !== "input") return;
    for (const [axis, dim] of input.shape.entries()) {
      if (typeof dim === "string" && !dimOrigins.has(dim)) dimOrigins.set(dim, { input, axis });
    }
  };
  for (const input of request.inputs ?? []) noteDims(input);
  for (const node of nodes) {
    for (const input of node.inputs) {
      noteDims(input);
      const known = readers.get(input);
      if (known) known.push(node);
      else readers.set(input, [node]);
    }
  }
  return { readers, dimOrigins };
}

/** Those of some nodes that others read. */
function read(nodes: readonly NodeProto[], others: readonly NodeProto[]): NodeProto[] {
  const names = new Set(others.flatMap((node) => node.input));
  return nodes.filter((node) => node.output.some((name) => names.has(name)));
}

/**
 * ONNX Runtime walks a graph backwards from its leaves (nodes that nobody reads), the last leaf of the file first.
 * Leaves go to the end, the one to compute first last: then each gradient is computed as soon as it can be and the
 * activations it needed are freed, instead of all of them living until the end.
 */
function lastLeafFirst(nodes: readonly NodeProto[]): NodeProto[] {
  const read = new Set(nodes.flatMap((node) => node.input));
  const isLeaf = (node: NodeProto): boolean => node.output.every((name) => !read.has(name));
  return [...nodes.filter((node) => !isLeaf(node)), ...nodes.filter(isLeaf).reverse()];
}
