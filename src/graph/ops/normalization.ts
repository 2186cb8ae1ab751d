import { exp, mul, reduceMean, reduceSum, sub } from "../functions.js";
import { type OpTable, TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";
import { checkAxis, commonDType, floats, keepAxes, reduceTo } from "./rules.js";

function inferAlongAxis(inputs: readonly TensorType[], { axis }: { axis: number }): TensorType[] {
  const [x] = inputs as [TensorType];
  commonDType(inputs, floats);
  checkAxis(axis, x.shape.length);
  return [x];
}

export const normalizationOps: OpTable<"softmax" | "logSoftmax" | "layerNorm"> = {
  softmax: {
    inferTypes: inferAlongAxis,
    gradient({ outputs, outputGradients, attributes: { axis } }) {
      const [y, dy] = [outputs[0] as Tensor, outputGradients[0] as Tensor];
      return [mul(y, sub(dy, reduceSum(mul(dy, y), [axis], true)))];
    },
  },
  logSoftmax: {
    inferTypes: inferAlongAxis,
    gradient({ outputs, outputGradients, attributes: { axis } }) {
      const [y, dy] = [outputs[0] as Tensor, outputGradients[0] as Tensor];
      return [sub(dy, mul(exp(y), reduceSum(dy, [axis], true)))];
    },
  },
  layerNorm: {
    inferTypes(inputs) {
      const [x, scale, bias] = inputs as [TensorType, TensorType, TensorType];
      const dtype = commonDType(inputs, ["float32"]);
      const features = x.shape.at(-1);
      for (const affine of [scale, bias]) {
        if (affine.shape.length !== 1 || affine.shape[0] !== features) {
          throw new TypeRuleError(`scale and bias should be [${features}]`);
        }
      }
      const rows = keepAxes(x.shape, [x.shape.length - 1]);
      return [
        { dtype, shape: x.shape },
        { dtype, shape: rows },
        { dtype, shape: rows },
      ];
    },
    gradient({ inputs, outputs, outputGradients, needed }) {
      const [x, scale, bias] = inputs as [Tensor, Tensor, Tensor];
      const [, mean, inverseDeviation] = outputs as [Tensor, Tensor, Tensor];
      const dy = outputGradients[0] as Tensor;
      const centred = sub(x, mean);
      const gradientOfX = () => {
        const g = mul(dy, scale);
        const projection = mul(reduceMean(mul(g, centred), [-1], true), mul(inverseDeviation, inverseDeviation));
        return mul(sub(sub(g, reduceMean(g, [-1], true)), mul(centred, projection)), inverseDeviation);
      };
      return [
        needed[0] ? gradientOfX() : null,
        needed[1] ? reduceTo(mul(dy, mul(centred, inverseDeviation)), scale.shape) : null,
        needed[2] ? reduceTo(dy, bias.shape) : null,
      ];
    },
  },
};
