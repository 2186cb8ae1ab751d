import { adamw } from "./adamw.js";
import { inverseOfSymmetric } from "./symmetric-inverse.js";
import type { OptimizerDefinition, UpdateScalars } from "./types.js";

/** Added to the diagonal of A A^T (PEFT's delta). */
const DELTA = 1e-8;

/**
 * The gradient of B as the full weight's gradient asks for it: G (A A^T + delta I)^-1 / scaling^2.
 * @param gradient [rows, rank], row-major
 */
function preconditioned(
  gradient: Float32Array,
  gradientScale: number,
  { partner, rank, scaling }: NonNullable<UpdateScalars["factor"]>,
): Float32Array {
  const columns = partner.length / rank;
  const gram = new Float64Array(rank * rank);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = i === j ? DELTA : 0;
      for (let k = 0; k < columns; k++) sum += partner[i * columns + k]! * partner[j * columns + k]!;
      gram[i * rank + j] = sum;
      gram[j * rank + i] = sum;
    }
  }
  const inverse = inverseOfSymmetric(gram, rank);
  const factor = gradientScale / scaling ** 2;
  const result = new Float32Array(gradient.length);
  for (let row = 0; row < gradient.length; row += rank) {
    for (let j = 0; j < rank; j++) {
      let sum = 0;
      for (let i = 0; i < rank; i++) sum += gradient[row + i]! * inverse[i * rank + j]!;
      result[row + j] = sum * factor;
    }
  }
  return result;
}

function updateAdam(
  parameter: Float32Array,
  gradient: Float32Array,
  mean: Float32Array,
  meanSquare: Float32Array,
  gradientScale: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  stepSize: number,
  decay: number,
): void {
  for (let i = 0; i < parameter.length; i++) {
    const g = gradient[i]! * gradientScale;
    const m = beta1 * mean[i]! + (1 - beta1) * g;
    const v = beta2 * meanSquare[i]! + (1 - beta2) * g * g;
    mean[i] = m;
    meanSquare[i] = v;
    parameter[i] = (parameter[i]! - (stepSize * m) / (Math.sqrt(v) + epsilon)) * decay;
  }
}

/**
 * LoRA-FA (Zhang et al. 2023) as PEFT 0.21 has it, in float32 throughout: A is frozen, the gradient of B is preconditioned
 * by A, and AdamW of the form that decays after the step, with epsilon outside the bias correction, does the rest.
 */
export const lorafa: OptimizerDefinition<"lorafa"> = {
  defaults: { betas: [0.9, 0.999], epsilon: 1e-6 },
  slots: () => ["expAvg", "expAvgSq"],
  validate: adamw.validate,
  update: (parameter, gradient, slots, scalars, { betas, epsilon }) => {
    const { step, learningRate, weightDecay, gradientScale, factor } = scalars;
    const [beta1, beta2] = betas;
    updateAdam(
      parameter,
      factor ? preconditioned(gradient, gradientScale, factor) : gradient,
      slots[0]!,
      slots[1]!,
      factor ? 1 : gradientScale,
      beta1,
      beta2,
      epsilon,
      (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step),
      1 - learningRate * weightDecay,
    );
  },
};
