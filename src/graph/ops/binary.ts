import type { DType } from "../../tensor-data.js";
import { add, cast, div, equal, greater, less, mul, neg, where } from "../functions.js";
import { type OpDefinition, type OpTable, TypeRuleError } from "../op.js";
import type { Tensor, TensorType } from "../tensor.js";
import { broadcastShapes, commonDType, floats, integers, reduceTo } from "./rules.js";

type Arithmetic = "add" | "sub" | "mul" | "div" | "maximum" | "minimum";

const numeric: readonly DType[] = [...floats, ...integers];

/** An arithmetic operator, from the gradient of each operand before it is summed over broadcast axes. */
function arithmetic(
  gradients: readonly ((dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor)[],
): OpDefinition<Arithmetic> {
  return {
    inferTypes: (inputs) => [
      { dtype: commonDType(inputs, numeric), shape: broadcastShapes(...inputs.map((input) => input.shape)) },
    ],
    gradient({ inputs, outputs, outputGradients, needed }) {
      const [a, b] = inputs as [Tensor, Tensor];
      const dy = outputGradients[0] as Tensor;
      return inputs.map((input, position) => {
        const rule = gradients[position];
        return needed[position] && rule ? reduceTo(rule(dy, a, b, outputs[0] as Tensor), input.shape) : null;
      });
    },
  };
}

/** 1 where a wins, 1/2 where both are equal, 0 elsewhere. */
const share = (wins: Tensor, a: Tensor, b: Tensor): Tensor =>
  add(cast(wins, a.dtype), mul(cast(equal(a, b), a.dtype), 0.5));

/** Piecewise constant: no gradient passes. */
const comparison: OpDefinition<"equal" | "greater" | "less"> = {
  inferTypes(inputs) {
    commonDType(inputs, numeric);
    return [{ dtype: "bool", shape: broadcastShapes(...inputs.map((input) => input.shape)) }];
  },
  gradient: null,
};

export const binaryOps: OpTable<Arithmetic | "equal" | "greater" | "less" | "where"> = {
  add: arithmetic([(dy) => dy, (dy) => dy]),
  sub: arithmetic([(dy) => dy, neg]),
  mul: arithmetic([(dy, _, b) => mul(dy, b), (dy, a) => mul(dy, a)]),
  div: arithmetic([(dy, _, b) => div(dy, b), (dy, _, b, y) => neg(mul(dy, div(y, b)))]),
  maximum: arithmetic([
    (dy, a, b) => mul(dy, share(greater(a, b), a, b)),
    (dy, a, b) => mul(dy, share(less(a, b), a, b)),
  ]),
  minimum: arithmetic([
    (dy, a, b) => mul(dy, share(less(a, b), a, b)),
    (dy, a, b) => mul(dy, share(greater(a, b), a, b)),
  ]),
  equal: comparison,
  greater: comparison,
  less: comparison,
  where: {
    inferTypes(inputs) {
      const [condition, ...branches] = inputs as [TensorType, TensorType, TensorType];
      if (condition.dtype !== "bool") throw new TypeRuleError(`the condition is ${condition.dtype}, not bool`);
      return [{ dtype: commonDType(branches), shape: broadcastShapes(...inputs.map((input) => input.shape)) }];
    },
    gradient({ inputs, outputGradients, needed }) {
      const [condition, a, b] = inputs as [Tensor, Tensor, Tensor];
      const dy = outputGradients[0] as Tensor;
      return [
        null,
        needed[1] ? reduceTo(where(condition, dy, 0), a.shape) : null,
        needed[2] ? reduceTo(where(condition, 0, dy), b.shape) : null,
      ];
    },
  },
};
