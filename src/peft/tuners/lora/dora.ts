import { add, div, mul, reduceSum, reshape, sqrt, stopGradient, sub, type Tensor } from "../../../graph/index.js";
import type { Parameter, Trace } from "../../../nn/index.js";
import type { LoraFactors, LoraVariant } from "./variant.js";

/** The length of each row: [rows, columns] to [rows]. */
const rowNorms = (matrix: Tensor): Tensor => sqrt(reduceSum(mul(matrix, matrix), [1]));

/** magnitude / ||W + scale * B A||, one factor an output feature; the norm gets no gradient (paper, section 4.3). */
function factorOf(trace: Trace, { layer, extra }: LoraFactors, weight: Tensor, update: Tensor): Tensor {
  const magnitude = reshape(trace.parameter(extra.magnitude as Parameter), [layer.matrix.outFeatures]);
  return div(magnitude, stopGradient(rowNorms(add(weight, update))));
}

/**
 * Magnitude and direction apart (Liu et al. 2024): y = m / ||W + s B A|| * (W x + s B A x) + b. The magnitudes begin as
 * the norms of the weight's rows. With dropout: y = W x + b + (m / ||W + s B A|| - 1) W x' + m / ||W + s B A|| s B A x'.
 */
export const dora: LoraVariant = {
  name: "dora",

  parameters(host, layer) {
    const { path, weight, layout, toMatrix } = layer.matrix;
    const norms = (trace: Trace): Tensor => rowNorms(add(toMatrix(trace.parameter(weight)), layer.weightUpdate(trace)));
    const magnitude = host.parameter(`${path}.lora_magnitude_vector`, layout.magnitudeShape, {
      made: (trace) => reshape(norms(trace), layout.magnitudeShape),
      madeFrom: [weight, layer.a, layer.b],
    });
    return { magnitude };
  },

  // PEFT's rule: what the magnitudes change of W x is computed of the dropped x, too.
  forward(trace, { layer, extra, result, update, dropped }) {
    const { weight, bias, toMatrix } = layer.matrix;
    const factor = factorOf(trace, { layer, extra }, toMatrix(trace.parameter(weight)), layer.weightUpdate(trace));
    const output = dropped?.() ?? result;
    const product = bias ? sub(output, trace.parameter(bias)) : output;
    return add(result, add(mul(product, sub(factor, 1)), mul(update, factor)));
  },

  merge(trace, { layer, extra, weight, update }) {
    const factor = factorOf(trace, { layer, extra }, weight, update);
    return mul(add(weight, update), reshape(factor, [layer.matrix.outFeatures, 1]));
  },
};
