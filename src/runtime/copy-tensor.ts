import { arrayFromBytes, bytesOf, type DType, type TensorData } from "../tensor-data.js";

/** A tensor with elements in a buffer of their own, also where the original is a view or lies in shared memory. */
export function copyTensor<D extends DType>(tensor: TensorData<D>): TensorData<D> {
  const bytes = new Uint8Array(tensor.data.byteLength);
  bytes.set(bytesOf(tensor));
  return { dtype: tensor.dtype, shape: [...tensor.shape], data: arrayFromBytes(tensor.dtype, bytes) };
}

/** Copies of several tensors, by name. */
export function copyTensors<D extends DType>(
  tensors: Readonly<Record<string, TensorData<D>>>,
): Record<string, TensorData<D>> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, copyTensor(tensor)]));
}
