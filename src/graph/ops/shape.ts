import { addDims, type Dim, multiplyDims, productOf } from "../dim.js";
import { pad, reshape, slice, transpose } from "../functions.js";
import { type OpTable, TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";
import { broadcastShapes, checkAxis, commonDType, reduceTo } from "./rules.js";

const subtractDims = (a: Dim, b: Dim): Dim => addDims(a, multiplyDims(b, -1));

/** Known to be negative: what a named dimension will be is not known here. */
const isNegative = (dim: Dim): boolean => typeof dim === "number" && dim < 0;

const sumOf = (dims: readonly Dim[]): Dim => dims.reduce(addDims, 0);

function replaceAxis(shape: readonly Dim[], axis: number, dim: Dim): Dim[] {
  return shape.map((old, position) => (position === axis ? dim : old));
}

export const shapeOps: OpTable<
  "dimension" | "reshape" | "transpose" | "expand" | "after" | "stopGradient" | "concat" | "slice" | "pad"
> = {
  dimension: {
    inferTypes: () => [{ dtype: "float32", shape: [] }],
    gradient: null,
  },
  reshape: {
    inferTypes(inputs, { shape }) {
      const [x] = inputs as [TensorType];
      const [before, after] = [productOf(x.shape), productOf(shape)];
      if (before !== after) throw new TypeRuleError(`${before} elements cannot fill ${after}`);
      return [{ dtype: x.dtype, shape }];
    },
    gradient: ({ inputs, outputGradients }) => [reshape(outputGradients[0] as Tensor, (inputs[0] as Tensor).shape)],
  },
  transpose: {
    inferTypes(inputs, { permutation }) {
      const [x] = inputs as [TensorType];
      if ([...permutation].sort((a, b) => a - b).join() !== x.shape.map((_, axis) => axis).join()) {
        throw new TypeRuleError("the permutation does not name every axis once");
      }
      return [{ dtype: x.dtype, shape: permutation.map((axis) => x.shape[axis] as Dim) }];
    },
    gradient({ outputGradients, attributes: { permutation } }) {
      const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
      return [transpose(outputGradients[0] as Tensor, inverse)];
    },
  },
  expand: {
    inferTypes(inputs, { shape }) {
      const [x] = inputs as [TensorType];
      if (broadcastShapes(x.shape, shape).join() !== shape.join()) throw new TypeRuleError("does not broadcast to it");
      return [{ dtype: x.dtype, shape }];
    },
    gradient: ({ inputs, outputGradients }) => [reduceTo(outputGradients[0] as Tensor, (inputs[0] as Tensor).shape)],
  },
  after: {
    inferTypes(inputs) {
      const [x, other] = inputs as [TensorType, TensorType];
      if (x.shape.join() !== other.shape.join()) throw new TypeRuleError("both should have one shape");
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    gradient: ({ outputGradients }) => [outputGradients[0] as Tensor, null],
  },
  stopGradient: {
    inferTypes: (inputs) => [inputs[0] as TensorType],
    gradient: () => [null],
  },
  concat: {
    inferTypes(inputs, { axis }) {
      if (inputs.length === 0) throw new TypeRuleError("no tensors");
      const dtype = commonDType(inputs);
      const shape = (inputs[0] as TensorType).shape;
      checkAxis(axis, shape.length);
      for (const other of inputs) {
        if (replaceAxis(other.shape, axis, 1).join() !== replaceAxis(shape, axis, 1).join()) {
          throw new TypeRuleError("the other axes differ");
        }
      }
      const length = sumOf(inputs.map((input) => input.shape[axis] as Dim));
      return [{ dtype, shape: replaceAxis(shape, axis, length) }];
    },
    gradient({ inputs, outputGradients, attributes: { axis }, needed }) {
      let end: Dim = 0;
      return inputs.map((input, position) => {
        const start = end;
        end = addDims(start, input.shape[axis] as Dim);
        return needed[position] ? slice(outputGradients[0] as Tensor, axis, start, end) : null;
      });
    },
  },
  slice: {
    inferTypes(inputs, { axis, start, end }) {
      const [x] = inputs as [TensorType];
      checkAxis(axis, x.shape.length);
      const size = x.shape[axis] as Dim;
      const [before, length, after] = [start, subtractDims(end, start), subtractDims(size, end)];
      if ([before, length, after].some(isNegative)) throw new TypeRuleError(`${start}..${end} of ${size}`);
      return [{ dtype: x.dtype, shape: replaceAxis(x.shape, axis, length) }];
    },
    gradient({ inputs, outputGradients, attributes: { axis, start, end } }) {
      const size = (inputs[0] as Tensor).shape[axis] as Dim;
      return [pad(outputGradients[0] as Tensor, axis, start, subtractDims(size, end))];
    },
  },
  pad: {
    inferTypes(inputs, { axis, before, after }) {
      const [x] = inputs as [TensorType];
      checkAxis(axis, x.shape.length);
      if ([before, after].some(isNegative)) throw new TypeRuleError(`${before} before and ${after} after`);
      return [{ dtype: x.dtype, shape: replaceAxis(x.shape, axis, sumOf([before, x.shape[axis] as Dim, after])) }];
    },
    gradient({ inputs, outputGradients, attributes: { axis, before } }) {
      const size = (inputs[0] as Tensor).shape[axis] as Dim;
      return [slice(outputGradients[0] as Tensor, axis, before, addDims(before, size))];
    },
  },
};
