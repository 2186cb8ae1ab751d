import { requireRange } from "./require-range.js";
import type { OptimizerDefinition } from "./types.js";

function updatePlain(
  parameter: Float32Array,
  gradient: Float32Array,
  gradientScale: number,
  learningRate: number,
  weightDecay: number,
): void {
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    parameter[i] = p - learningRate * (gradient[i]! * gradientScale + weightDecay * p);
  }
}

function updateWithMomentum(
  parameter: Float32Array,
  gradient: Float32Array,
  buffer: Float32Array,
  gradientScale: number,
  learningRate: number,
  weightDecay: number,
  momentum: number,
  nesterov: boolean,
): void {
  for (let i = 0; i < parameter.length; i++) {
    const p = parameter[i]!;
    const g = gradient[i]! * gradientScale + weightDecay * p;
    const b = momentum * buffer[i]! + g;
    buffer[i] = b;
    parameter[i] = p - learningRate * (nesterov ? g + momentum * b : b);
  }
}

/** Stochastic gradient descent with PyTorch's momentum and Nesterov forms; weight decay is added to the gradient. */
export const sgd: OptimizerDefinition<"sgd"> = {
  defaults: { momentum: 0, nesterov: false },
  slots: ({ momentum }) => (momentum > 0 ? ["momentumBuffer"] : []),
  validate: ({ momentum, nesterov }) => {
    requireRange(momentum >= 0 && momentum < 1, "momentum", momentum, "from 0 up to, not including, 1");
    requireRange(!nesterov || momentum > 0, "momentum", momentum, "above 0 when nesterov is on");
  },
  update: (parameter, gradient, slots, { learningRate, weightDecay, gradientScale }, { momentum, nesterov }) => {
    const buffer = slots[0];
    if (buffer === undefined) updatePlain(parameter, gradient, gradientScale, learningRate, weightDecay);
    else updateWithMomentum(parameter, gradient, buffer, gradientScale, learningRate, weightDecay, momentum, nesterov);
  },
};
