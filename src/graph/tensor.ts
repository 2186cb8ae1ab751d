import type { DType, TensorData } from "../tensor-data.js";
import type { OpAttributes, OpName } from "./attributes.js";
import type { Dim } from "./dim.js";

/** Where the elements of an initialiser lie. */
export type TensorSource =
  | { readonly kind: "memory"; readonly data: TensorData }
  /** Row-major elements of the tensor's own dtype in a file: `path` is real (no symlink), `offset` in bytes from its start. */
  | { readonly kind: "file"; readonly path: string; readonly offset: number; readonly byteLength: number };

/** Where a tensor of a graph comes from. */
export type Origin =
  | { readonly kind: "node"; readonly node: Node; readonly output: number }
  /** Fed at every run. */
  | { readonly kind: "input"; readonly name: string }
  /** Fixed when the graph is compiled. */
  | { readonly kind: "initializer"; readonly name: string; readonly source: TensorSource };

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** A symbolic tensor: a value in a graph, known by dtype and shape. Tensors are compared by identity. */
export interface Tensor extends TensorType {
  readonly origin: Origin;
}

/** One application of an operator. */
export interface Node<K extends OpName = OpName> {
  readonly op: K;
  readonly inputs: readonly Tensor[];
  readonly attributes: OpAttributes[K];
  readonly outputs: readonly Tensor[];
  /** Path of the module that wrote the node, for messages and profiles. */
  readonly scope: string;
}

/** A tensor that is fed at every run. */
export function input(name: string, dtype: DType, shape: readonly Dim[]): Tensor {
  return { dtype, shape, origin: { kind: "input", name } };
}

/** A tensor that is fixed when the graph is compiled. */
export function initializer(name: string, type: TensorType, source: TensorSource): Tensor {
  return { dtype: type.dtype, shape: type.shape, origin: { kind: "initializer", name, source } };
}

/** A constant scalar of shape `[]`. */
export function scalar(value: number, dtype: "float32" | "int32" = "float32"): Tensor {
  const data: TensorData =
    dtype === "float32"
      ? { dtype, shape: [], data: Float32Array.of(value) }
      : { dtype, shape: [], data: Int32Array.of(value) };
  return initializer(`constant:${dtype}:${value}`, data, { kind: "memory", data });
}

/** The value of a constant scalar; null for every other tensor. */
export function scalarValue(tensor: Tensor): number | null {
  const { origin } = tensor;
  if (origin.kind !== "initializer" || origin.source.kind !== "memory" || tensor.shape.length > 0) return null;
  return Number(origin.source.data.data[0]);
}

/** An initialiser as it is stored, where the tensor is one that is cast; every other tensor itself. */
export function storedForm(tensor: Tensor): Tensor {
  const { origin } = tensor;
  if (origin.kind !== "node" || origin.node.op !== "cast") return tensor;
  const [stored] = origin.node.inputs as [Tensor];
  return stored.origin.kind === "initializer" ? stored : tensor;
}

/** "float32[batch,sequence,768]", for messages. */
export function describeType({ dtype, shape }: TensorType): string {
  return `${dtype}[${shape.join(",")}]`;
}
