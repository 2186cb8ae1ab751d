import { requireRange } from "./require-range.js";
import type { OptimizerDefinition } from "./types.js";

/** The hot loop: flat arguments and f32 arrays only, so that it compiles to one tight loop. */
function updateAdamW(
  parameter: Float32Array,
  gradient: Float32Array,
  mean: Float32Array,
  meanSquare: Float32Array,
  gradientScale: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  stepSize: number,
  rootBiasCorrection2: number,
  decay: number,
): void {
  const rest1 = 1 - beta1;
  const rest2 = 1 - beta2;
  const inverseRoot = 1 / rootBiasCorrection2;
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]! * gradientScale;
    const m = mean[i]! + rest1 * (g - mean[i]!);
    const v = beta2 * meanSquare[i]! + rest2 * g * g;
    mean[i] = m;
    meanSquare[i] = v;
    parameter[i] = parameter[i]! * decay - (stepSize * m) / (Math.sqrt(v) * inverseRoot + epsilon);
  }
}

/** AdamW (Loshchilov & Hutter 2019) with PyTorch's arithmetic: decoupled decay, bias correction, epsilon outside the root. */
export const adamw: OptimizerDefinition<"adamw"> = {
  defaults: { betas: [0.9, 0.999], epsilon: 1e-8 },
  slots: () => ["expAvg", "expAvgSq"],
  validate: ({ betas, epsilon }) => {
    const areRates = betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1);
    requireRange(areRates, "betas", betas, "two numbers from 0 up to, not including, 1");
    requireRange(epsilon >= 0, "epsilon", epsilon, "zero or more");
  },
  update: (parameter, gradient, slots, { step, learningRate, weightDecay, gradientScale }, { betas, epsilon }) => {
    const [beta1, beta2] = betas;
    updateAdamW(
      parameter,
      gradient,
      slots[0]!,
      slots[1]!,
      gradientScale,
      beta1,
      beta2,
      epsilon,
      learningRate / (1 - beta1 ** step),
      Math.sqrt(1 - beta2 ** step),
      1 - learningRate * weightDecay,
    );
  },
};
