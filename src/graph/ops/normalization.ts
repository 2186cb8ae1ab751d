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

function requireFeatures({ shape }: TensorType, affine: readonly TensorType[], what: string): void {
  const features = shape.at(-1);
  if (affine.every((one) => one.shape.length === 1 && one.shape[0] === features)) return;
  throw new TypeRuleError(`${what} should be [${features}]`);
}

export const normalizationOps: OpTable<"softmax" | "logSoftmax" | "layerNorm" | "rmsNorm"> = {
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
      const [x, ...affine] = inputs as [TensorType, TensorType, TensorType];
      const dtype = commonDType(inputs, ["float32"]);
      requireFeatures(x, affine, "scale and bias");
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
  rmsNorm: {
    inferTypes(inputs) {
      const [x, scale] = inputs as [TensorType, TensorType];
      const dtype = commonDType(inputs, ["float32"]);
      requireFeatures(x, [scale], "scale");
      return [
        { dtype, shape: x.shape },
        { dtype, shape: keepAxes(x.shape, [x.shape.length - 1]) },
      ];
    },
    gradient({ inputs, outputs, outputGradients, needed }) {
      const [x, scale] = inputs as [Tensor, Tensor];
      const [, inverseRoot] = outputs as [Tensor, Tensor];
      const dy = outputGradients[0] as Tensor;
      const normalised = mul(x, inverseRoot);
      const gradientOfX = () => {
        const g = mul(dy, scale);
        return mul(sub(g, mul(normalised, reduceMean(mul(g, normalised), [-1], true))), inverseRoot);
      };
      return [needed[0] ? gradientOfX() : null, needed[1] ? reduceTo(mul(dy, normalised), scale.shape) : null];
    },
  },
};
