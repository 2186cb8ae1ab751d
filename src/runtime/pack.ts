import { GraftError } from "../errors.js";
import { type DType, elementCount, type TensorData } from "../tensor-data.js";
import { copyTensor } from "./copy-tensor.js";
import type { TensorRecord } from "./protocol.js";

const arrayNames: { readonly [D in DType]: string } = {
  float32: "Float32Array",
  float64: "Float64Array",
  float16: "Uint16Array",
  bfloat16: "Uint16Array",
  int64: "BigInt64Array",
  int32: "Int32Array",
  int16: "Int16Array",
  int8: "Int8Array",
  uint8: "Uint8Array",
  bool: "Uint8Array",
};

function checkTensor(name: string, { data, dtype, shape }: TensorData): void {
  const needed = Object.hasOwn(arrayNames, dtype) ? arrayNames[dtype] : undefined;
  if (needed === undefined) {
    throw new GraftError(
      "dtype-mismatch",
      `tensor "${name}" has the unknown dtype "${dtype}"`,
      `Known dtypes: ${Object.keys(arrayNames).join(", ")}.`,
    );
  }
  const kind: string = ArrayBuffer.isView(data) ? data[Symbol.toStringTag] : typeof data;
  if (kind !== needed) {
    throw new GraftError(
      "dtype-mismatch",
      `the elements of "${name}" (${dtype}) are given as ${kind}`,
      `${dtype} elements lie in a ${needed}.`,
    );
  }
  if (data.length !== elementCount(shape)) {
    throw new GraftError(
      "shape-mismatch",
      `tensor "${name}" has shape [${shape}], which is ${elementCount(shape)} elements, and ${data.length} were given`,
      data.length > 0
        ? "Give data and shape of the same tensor."
        : "An array whose buffer was moved to another thread is empty afterwards: copy it first.",
    );
  }
}

/**
 * Copies of tensors, which a message may own.
 * @throws GraftError `dtype-mismatch`, `shape-mismatch` for tensors that contradict themselves.
 */
export function packTensors(tensors: Readonly<Record<string, TensorData>>): TensorRecord {
  const packed: TensorRecord = {};
  for (const [name, tensor] of Object.entries(tensors)) {
    // Left out here, named as missing by the worker.
    if (tensor === undefined) continue;
    checkTensor(name, tensor);
    packed[name] = copyTensor(tensor);
  }
  return packed;
}
