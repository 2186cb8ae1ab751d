import { platform } from "#platform";
import type { SafetensorsEntry } from "../safetensors/header.js";
import { bytesPerElement, elementCount } from "../tensor-data.js";
import { damaged, refused } from "./faults.js";
import type { PickledTensor } from "./values.js";

/** Where a storage lies in the file. */
export interface StorageExtent {
  readonly offset: number;
  readonly byteLength: number;
}

/** The file that tensors lie in. */
export interface PickledFile {
  /** Real path. */
  readonly file: string;
  readonly version: string;
}

/** Whether the elements lie in row-major order without gaps. */
function isContiguous({ shape, strides }: PickledTensor): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis] as number;
  }
  return true;
}

/** Elements from the first one of a tensor to its last, both included; 0 for a tensor of none. */
function span({ shape, strides }: PickledTensor): number {
  if (shape.includes(0)) return 0;
  return 1 + shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), 0);
}

/** The elements of a view, in row-major order. */
function gathered(bytes: Uint8Array, { shape, strides }: PickledTensor, width: number): Uint8Array {
  const count = elementCount(shape);
  const out = new Uint8Array(count * width);
  const index = shape.map(() => 0);
  let from = 0;
  for (let element = 0; element < count; element++) {
    out.set(bytes.subarray(from * width, (from + 1) * width), element * width);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      from -= (strides[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return out;
}

/**
 * A tensor's entry, after its sizes have been compared with its storage and that with the file.
 * @throws GraftError `invalid-pickle` naming the tensor
 */
export function entryOf(
  name: string,
  tensor: PickledTensor,
  extent: StorageExtent,
  { file, version }: PickledFile,
): SafetensorsEntry {
  const { storage, shape, offset } = tensor;
  const width = bytesPerElement(storage.dtype);
  if (storage.length * width !== extent.byteLength) {
    throw damaged(
      file,
      `the storage ${storage.key} should hold ${storage.length} elements of ${storage.dtype}, and has ${extent.byteLength} bytes`,
    );
  }
  const count = elementCount(shape);
  const spanned = span(tensor);
  if (Number.isSafeInteger(spanned) && offset + spanned <= storage.length && !(count <= storage.length)) {
    throw refused(file, `an expanded view (tensor ${name} of shape [${shape}] in ${storage.length} elements)`);
  }
  if (!Number.isSafeInteger(count) || offset + spanned > storage.length || count > storage.length) {
    throw damaged(
      file,
      `tensor ${name} of shape [${shape}], strides [${tensor.strides}] and offset ${offset} does not fit its storage of ${storage.length} elements`,
    );
  }
  const at = extent.offset + offset * width;
  const entry = { name, dtype: storage.dtype, shape, file, version, offset: at, byteLength: count * width };
  if (count === 0 || isContiguous(tensor)) return entry;
  const gather = async () => gathered(await platform.readRange(file, at, spanned * width), tensor, width);
  return { ...entry, gather };
}
