import type { TensorData } from "../../tensor-data.js";

const product = (shape: readonly number[]): number => shape.reduce((all, length) => all * length, 1);

/** How a tensor's elements lie as seen from one axis: `outer` times `length` slices of `inner` elements. */
export function slicesAlong({ shape }: TensorData, axis: number): { outer: number; length: number; inner: number } {
  return {
    outer: product(shape.slice(0, axis)),
    length: shape[axis] as number,
    inner: product(shape.slice(axis + 1)),
  };
}

/** Slices picked along an axis into `into`, which has room for them and holds other elements than the tensor. */
export function pickSlices(
  tensor: TensorData,
  axis: number,
  indices: Int32Array,
  into: TensorData["data"],
): TensorData {
  const { outer, length, inner } = slicesAlong(tensor, axis);
  // Only whole elements are moved: what type they are of does not matter, and the arrays are of the same.
  const [source, target] = [tensor.data as Float32Array, into as Float32Array];
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const index of indices) {
      const from = (row * length + index) * inner;
      target.set(source.subarray(from, from + inner), at);
      at += inner;
    }
  }
  const shape = tensor.shape.map((size, i) => (i === axis ? indices.length : size));
  return { dtype: tensor.dtype, shape, data: into };
}
