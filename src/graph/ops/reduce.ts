import type { ReduceAttributes } from "../attributes.js";
import { add, cast, cumSum, dimension, div, equal, expand, mul, reduceSum, reshape, sub } from "../functions.js";
import { type OpTable, TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";
import { checkAxis, commonDType, countAlong, floats, integers, keepAxes } from "./rules.js";

function inferReduced(inputs: readonly TensorType[], { axes, keepDims }: ReduceAttributes): TensorType[] {
  const [x] = inputs as [TensorType];
  commonDType(inputs, [...floats, ...integers]);
  for (const axis of axes) checkAxis(axis, x.shape.length);
  if (new Set(axes).size < axes.length) throw new TypeRuleError("an axis is named twice");
  const shape = keepDims ? keepAxes(x.shape, axes) : x.shape.filter((_, axis) => !axes.includes(axis));
  return [{ dtype: x.dtype, shape }];
}

/** A reduced tensor with its folded axes back as 1, so that it broadcasts against x. */
function withKeptAxes(reduced: Tensor, x: Tensor, { axes, keepDims }: ReduceAttributes): Tensor {
  return keepDims ? reduced : reshape(reduced, keepAxes(x.shape, axes));
}

export const reduceOps: OpTable<"reduceSum" | "reduceMean" | "reduceMax" | "cumSum"> = {
  reduceSum: {
    inferTypes: inferReduced,
    gradient: ({ inputs, outputGradients, attributes }) => {
      const [x] = inputs as [Tensor];
      return [expand(withKeptAxes(outputGradients[0] as Tensor, x, attributes), x.shape)];
    },
  },
  reduceMean: {
    inferTypes(inputs, attributes) {
      const [x] = inputs as [TensorType];
      commonDType(inputs, floats);
      if (countAlong(x.shape, attributes.axes) === 0) throw new TypeRuleError("a mean over no elements");
      return inferReduced(inputs, attributes);
    },
    gradient({ inputs, outputGradients, attributes }) {
      const [x] = inputs as [Tensor];
      const dy = expand(withKeptAxes(outputGradients[0] as Tensor, x, attributes), x.shape);
      return [div(dy, dimension(countAlong(x.shape, attributes.axes)))];
    },
  },
  reduceMax: {
    inferTypes: inferReduced,
    gradient({ inputs, outputs, outputGradients, attributes }) {
      const [x] = inputs as [Tensor];
      const isMaximum = cast(equal(x, withKeptAxes(outputs[0] as Tensor, x, attributes)), x.dtype);
      const dy = withKeptAxes(outputGradients[0] as Tensor, x, attributes);
      return [mul(isMaximum, div(dy, reduceSum(isMaximum, attributes.axes, true)))];
    },
  },
  cumSum: {
    inferTypes(inputs, { axis }) {
      const [x] = inputs as [TensorType];
      const dtype = commonDType(inputs, [...floats, ...integers]);
      checkAxis(axis, x.shape.length);
      return [{ dtype, shape: x.shape }];
    },
    gradient({ outputGradients, attributes: { axis } }) {
      const dy = outputGradients[0] as Tensor;
      return [add(sub(reduceSum(dy, [axis], true), cumSum(dy, axis)), dy)];
    },
  },
};
