import type { DType } from "../../tensor-data.js";
import { type Dim, multiplyDims } from "../dim.js";
import { reduceSum, reshape } from "../functions.js";
import { TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";

/** The shape that several shapes broadcast to, by NumPy's rule; a named dimension matches itself and 1 only. */
export function broadcastShapes(...shapes: (readonly Dim[])[]): Dim[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let result: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[axis - rank + shape.length] ?? 1;
      if (dim === 1 || dim === result) continue;
      if (result !== 1) throw new TypeRuleError(`dimensions ${result} and ${dim} do not broadcast`);
      result = dim;
    }
    return result;
  });
}

/** Sums a gradient over the axes along which an operand of `shape` was broadcast. */
export function reduceTo(gradient: Tensor, shape: readonly Dim[]): Tensor {
  const extra = gradient.shape.length - shape.length;
  const axes = gradient.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < extra || (shape[axis - extra] === 1 && gradient.shape[axis] !== 1));
  if (axes.length === 0) return gradient;
  const sum = reduceSum(gradient, axes, true);
  return extra === 0 ? sum : reshape(sum, shape);
}

/** Throws unless all inputs have one dtype (of `allowed`, if given); returns it. */
export function commonDType(inputs: readonly TensorType[], allowed?: readonly DType[]): DType {
  const { dtype } = inputs[0] as TensorType;
  for (const input of inputs) {
    if (input.dtype !== dtype) throw new TypeRuleError(`operands of dtypes ${dtype} and ${input.dtype}`);
  }
  if (allowed && !allowed.includes(dtype)) throw new TypeRuleError(`dtype ${dtype}; it takes ${allowed.join(", ")}`);
  return dtype;
}

/** What arithmetic is done in: other floats are storage, cast to float32 before use. */
export const floats: readonly DType[] = ["float32"];
export const integers: readonly DType[] = ["int32", "int64"];

/** Throws unless 0 <= axis < rank. */
export function checkAxis(axis: number, rank: number): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank) {
    throw new TypeRuleError(`axis ${axis} of a tensor of rank ${rank}`);
  }
}

/** Same type as the first input, which must be a float. */
export function likeFloatInput(inputs: readonly TensorType[]): TensorType[] {
  return [{ dtype: commonDType(inputs, floats), shape: (inputs[0] as TensorType).shape }];
}

/** The same shape with some axes of size 1. */
export function keepAxes(shape: readonly Dim[], axes: readonly number[]): Dim[] {
  return shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
}

/** Element count along some axes. */
export function countAlong(shape: readonly Dim[], axes: readonly number[]): Dim {
  return axes.map((axis) => shape[axis] as Dim).reduce<Dim>(multiplyDims, 1);
}
