import { cast, cos, div, dropout, exp, geluGradient, greater, less, mul, neg, pow, sin, sub } from "../functions.js";
import { type OpDefinition, type OpTable, TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";
import { commonDType, likeFloatInput } from "./rules.js";

type Unary =
  | "neg"
  | "abs"
  | "exp"
  | "log"
  | "sqrt"
  | "reciprocal"
  | "sin"
  | "cos"
  | "erf"
  | "tanh"
  | "sigmoid"
  | "relu"
  | "gelu";

/** A function of one float tensor, from its gradient as a function of (dy, x, y). */
function unary(rule: (dy: Tensor, x: Tensor, y: Tensor) => Tensor): OpDefinition<Unary> {
  return {
    inferTypes: likeFloatInput,
    gradient: ({ inputs, outputs, outputGradients }) => [
      rule(outputGradients[0] as Tensor, inputs[0] as Tensor, outputs[0] as Tensor),
    ],
  };
}

const sign = (x: Tensor): Tensor => sub(cast(greater(x, 0), x.dtype), cast(less(x, 0), x.dtype));

export const unaryOps: OpTable<Unary | "pow" | "cast" | "geluGradient" | "dropout"> = {
  neg: unary(neg),
  abs: unary((dy, x) => mul(dy, sign(x))),
  exp: unary((dy, _, y) => mul(dy, y)),
  log: unary((dy, x) => div(dy, x)),
  sqrt: unary((dy, _, y) => div(mul(dy, 0.5), y)),
  reciprocal: unary((dy, _, y) => neg(mul(dy, mul(y, y)))),
  sin: unary((dy, x) => mul(dy, cos(x))),
  cos: unary((dy, x) => neg(mul(dy, sin(x)))),
  erf: unary((dy, x) => mul(dy, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  tanh: unary((dy, _, y) => mul(dy, sub(1, mul(y, y)))),
  sigmoid: unary((dy, _, y) => mul(dy, mul(y, sub(1, y)))),
  relu: unary((dy, _, y) => mul(dy, cast(greater(y, 0), y.dtype))),
  gelu: unary((dy, x) => geluGradient(x, dy)),
  geluGradient: { inferTypes: likeFloatInput, gradient: null },
  pow: {
    inferTypes: likeFloatInput,
    gradient({ inputs, outputGradients, attributes: { exponent } }) {
      const [x] = inputs as [Tensor];
      // x^0 is 1 at 0 too: its slope there is 0, not 0 * 0^-1.
      const slope = exponent === 0 ? 0 : mul(exponent === 2 ? x : pow(x, exponent - 1), exponent);
      return [mul(outputGradients[0] as Tensor, slope)];
    },
  },
  cast: {
    inferTypes: (inputs, { to }) => [{ dtype: to, shape: (inputs[0] as TensorType).shape }],
    gradient: ({ inputs, outputGradients }) => [cast(outputGradients[0] as Tensor, (inputs[0] as Tensor).dtype)],
  },
  dropout: {
    inferTypes(inputs, { keepProbability }) {
      const [x, mask] = inputs as [TensorType, TensorType];
      commonDType([x], ["float32"]);
      if (mask.dtype !== "uint8") throw new TypeRuleError(`the mask is ${mask.dtype}, not uint8`);
      if (mask.shape.join() !== x.shape.join()) throw new TypeRuleError("the mask has another shape");
      if (!(keepProbability > 0 && keepProbability <= 1)) throw new TypeRuleError(`keepProbability ${keepProbability}`);
      return [x];
    },
    gradient: ({ inputs, outputGradients, attributes }) => [
      dropout(outputGradients[0] as Tensor, inputs[1] as Tensor, attributes.keepProbability),
      null,
    ],
  },
};
