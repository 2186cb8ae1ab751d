import type { Dim } from "../dim.js";
import {
  cast,
  equal,
  expand,
  gather,
  gatherElements,
  gatherGradient,
  reshape,
  scatterElementsAdd,
  where,
} from "../functions.js";
import { type OpTable, TypeRuleError } from "../op.js";
import { scalar, type Tensor, type TensorType } from "../tensor.js";
import { checkAxis, commonDType, floats, integers } from "./rules.js";

function checkIndices(indices: TensorType): void {
  if (!integers.includes(indices.dtype)) throw new TypeRuleError(`indices are ${indices.dtype}, not int32 or int64`);
}

function checkSameShape(a: TensorType, b: TensorType): void {
  if (a.shape.join() !== b.shape.join()) throw new TypeRuleError("indices and updates have other shapes");
}

function checkSameRank(indices: TensorType, x: TensorType): void {
  if (indices.shape.length !== x.shape.length) throw new TypeRuleError("indices of another rank");
}

export const indexingOps: OpTable<"gather" | "gatherGradient" | "gatherElements" | "scatterElementsAdd"> = {
  gather: {
    inferTypes(inputs, { axis }) {
      const [x, indices] = inputs as [TensorType, TensorType];
      checkIndices(indices);
      checkAxis(axis, x.shape.length);
      return [{ dtype: x.dtype, shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
    },
    gradient({ inputs, outputGradients, attributes: { axis, paddingIndex } }) {
      const [x, indices] = inputs as [Tensor, Tensor];
      const dy = outputGradients[0] as Tensor;
      if (paddingIndex === null) return [gatherGradient(indices, dy, axis, x.shape), null];
      const ones = (count: number): Dim[] => new Array(count).fill(1);
      const shape = [...ones(axis), ...indices.shape, ...ones(x.shape.length - axis - 1)];
      const isPadding = reshape(equal(cast(indices, "int32"), scalar(paddingIndex, "int32")), shape);
      return [gatherGradient(indices, where(isPadding, 0, dy), axis, x.shape), null];
    },
  },
  gatherGradient: {
    inferTypes(inputs, { axis, shape }) {
      const [indices, updates] = inputs as [TensorType, TensorType];
      checkIndices(indices);
      checkAxis(axis, shape.length);
      const expected = [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)];
      if (expected.join() !== updates.shape.join()) throw new TypeRuleError(`updates should be [${expected}]`);
      return [{ dtype: commonDType([updates], floats), shape }];
    },
    gradient: ({ inputs, outputGradients, attributes: { axis } }) => [
      null,
      gather(outputGradients[0] as Tensor, inputs[0] as Tensor, axis),
    ],
  },
  gatherElements: {
    inferTypes(inputs, { axis }) {
      const [x, indices] = inputs as [TensorType, TensorType];
      checkIndices(indices);
      checkAxis(axis, x.shape.length);
      checkSameRank(indices, x);
      return [{ dtype: x.dtype, shape: indices.shape }];
    },
    gradient({ inputs, outputGradients, attributes: { axis } }) {
      const [x, indices] = inputs as [Tensor, Tensor];
      return [scatterElementsAdd(expand(scalar(0), x.shape), indices, outputGradients[0] as Tensor, axis), null];
    },
  },
  scatterElementsAdd: {
    inferTypes(inputs, { axis }) {
      const [x, indices, updates] = inputs as [TensorType, TensorType, TensorType];
      checkIndices(indices);
      checkAxis(axis, x.shape.length);
      checkSameRank(indices, x);
      checkSameShape(indices, updates);
      return [{ dtype: commonDType([x, updates]), shape: x.shape }];
    },
    gradient({ inputs, outputGradients, attributes: { axis } }) {
      const dy = outputGradients[0] as Tensor;
      return [dy, null, gatherElements(dy, inputs[1] as Tensor, axis)];
    },
  },
};
