import { evaluateShape } from "../../graph/index.js";
import type { NodeProto, ValueInfoProto } from "../../onnx/index.js";
import { bytesPerElement, elementCount } from "../../tensor-data.js";
import { executionOrder } from "./order.js";
import type { StepGraph } from "./step-graph.js";

/** Operators whose first output can lie where their first input lies. */
const views = new Set(["Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten"]);
const inPlace = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Relu",
  "Tanh",
  "Erf",
  "Exp",
  "Sqrt",
  "Neg",
  "Cast",
  "Softmax",
  "Where",
]);
const products = new Set(["MatMul", "FusedMatMul", "Gemm", "Conv", "MatMulIntegerToFloat"]);

/** What one step computes and holds. */
export interface StepWalk {
  /** Most bytes of values that are alive at once: activations, gradients on their way, and outputs. */
  readonly peakBytes: number;
  /** Floating-point operations of matrix products (a multiplication and an addition are two), by what is multiplied. */
  readonly flops: { readonly frozen: number; readonly trained: number; readonly activations: number };
  /** Bytes of initialisers that products and sums read whole, and of tables that rows are gathered from. */
  readonly weightBytes: { readonly whole: number; readonly gathered: number };
}

/** Plays a step through in the engine's order without computing it. */
export function walkStep({ graph, sizes, fed }: StepGraph): StepWalk {
  const shapes = new Map<string, ValueInfoProto>();
  for (const info of [...graph.input, ...graph.output, ...graph.valueInfo]) shapes.set(info.name, info);
  const weights = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const shapeOf = (name: string): number[] => {
    const known = shapes.get(name);
    if (known) return evaluateShape(known.shape, sizes);
    return weights.get(name)?.dims ?? [];
  };
  const bytesOf = (name: string): number => {
    const { dtype } = shapes.get(name) ?? { dtype: "float32" as const };
    return elementCount(shapeOf(name)) * bytesPerElement(dtype);
  };

  const order = executionOrder(graph);
  // Values that share memory have one root; a root is free after the last of all readers.
  const root = new Map<string, string>();
  const rootOf = (name: string): string => root.get(name) ?? name;
  const readsLeft = new Map<string, number>();
  for (const { input } of order) for (const name of input) readsLeft.set(name, (readsLeft.get(name) ?? 0) + 1);
  const kept = new Set(graph.output.map(({ name }) => name));
  const outside = new Set([...graph.input.map(({ name }) => name), ...weights.keys(), ""]);
  const pending = new Map<string, number>();
  const size = new Map<string, number>();
  let live = 0;
  let peak = 0;
  const flops = { frozen: 0, trained: 0, activations: 0 };
  const whole = new Set<string>();
  const gathered = new Set<string>();

  const flopsOf = ({ opType, input, output, attribute }: NodeProto): number => {
    const out = elementCount(shapeOf(output[0] as string));
    if (opType === "Conv") return 2 * out * elementCount(shapeOf(input[1] as string).slice(1));
    const left = shapeOf(input[0] as string);
    const isTurned = attribute.some(({ name, value }) => name === "transA" && value === 1);
    return 2 * out * (isTurned ? (left.at(-2) ?? 1) : (left.at(-1) ?? 1));
  };
  for (const node of order) {
    const { opType, input, output } = node;
    if (products.has(opType)) {
      const reads = input.slice(0, 2);
      const kind = reads.some((name) => weights.has(name) && bytesOf(name) > 0)
        ? "frozen"
        : reads.some((name) => fed.has(name))
          ? "trained"
          : "activations";
      flops[kind] += flopsOf(node);
    }
    for (const name of input) if (weights.has(name)) (opType === "Gather" ? gathered : whole).add(name);
    const first = input[0] ?? "";
    for (const [position, name] of output.entries()) {
      if (name === "") continue;
      const bytes = bytesOf(name);
      const from = rootOf(first);
      const isView = position === 0 && views.has(opType) && !outside.has(first);
      const isFree = !outside.has(from) && pending.get(from) === 1 && size.get(from) === bytes && !kept.has(first);
      if (isView || (position === 0 && inPlace.has(opType) && isFree)) {
        root.set(name, from);
        pending.set(from, (pending.get(from) ?? 0) + (readsLeft.get(name) ?? 0) + (kept.has(name) ? 1 : 0));
        continue;
      }
      size.set(name, bytes);
      pending.set(name, (readsLeft.get(name) ?? 0) + (kept.has(name) ? 1 : 0));
      live += bytes;
    }
    peak = Math.max(peak, live);
    for (const name of input) {
      const own = rootOf(name);
      if (outside.has(own)) continue;
      const left = (pending.get(own) ?? 0) - 1;
      pending.set(own, left);
      if (left === 0) live -= size.get(own) ?? 0;
    }
  }
  const total = (names: ReadonlySet<string>): number =>
    [...names].reduce((sum, name) => {
      const tensor = weights.get(name);
      return sum + (tensor ? elementCount(tensor.dims) * bytesPerElement(tensor.dtype) : 0);
    }, 0);
  return { peakBytes: peak, flops, weightBytes: { whole: total(whole), gathered: total(gathered) } };
}
