import { add, div, mul, reduceSum, reshape, sqrt, stopGradient, sub, type Tensor } from "../../../graph/index.js";
import type { Parameter, Trace } from "../../../nn/index.js";
import type { LoraVariant } from "./variant.js";

/** The length of each row: [rows, columns] to [rows]. */
const rowNorms = (matrix: Tensor): Tensor => sqrt(reduceSum(mul(matrix, matrix), [1]));

/** magnitude / ||W + scale * B A||, one factor an output feature; the norm gets no gradient (paper, section 4.3). */
function factorOf(trace: Trace, magnitude: Parameter, weight: Tensor, update: Tensor): Tensor {
  return div(trace.parameter(magnitude), stopGradient(rowNorms(add(weight, update))));
}

/**
 * Magnitude and direction apart (Liu et al. 2024): y = m / ||W + s B A|| * (W x + s B A x) + b. The magnitudes begin as
 * the norms of the weight's rows.
 */
export const dora: LoraVariant = {
  name: "dora",

  parameters(host, layer) {
    const { path, outFeatures, weight } = layer.linear;
    const magnitude = host.parameter(`${path}.lora_magnitude_vector`, [outFeatures], {
      made: (trace) => rowNorms(add(trace.parameter(weight), layer.weightUpdate(trace))),
      madeFrom: [weight, layer.a, layer.b],
    });
    return { magnitude };
  },

  forward(trace, { layer, extra, result, update }) {
    const { linear } = layer;
    const factor = factorOf(
      trace,
      extra.magnitude as Parameter,
      trace.parameter(linear.weight),
      layer.weightUpdate(trace),
    );
    const product = linear.bias ? sub(result, trace.parameter(linear.bias)) : result;
    return add(result, add(mul(product, sub(factor, 1)), mul(update, factor)));
  },

  merge(trace, { layer, extra, weight, update }) {
    const factor = factorOf(trace, extra.magnitude as Parameter, weight, update);
    return mul(add(weight, update), reshape(factor, [layer.linear.outFeatures, 1]));
  },
};
