function sumOfSquares(values: Float32Array): number {
  // Four sums at once: additions of one chain would wait for each other.
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < values.length; i += 4) {
    a += values[i]! * values[i]!;
    b += values[i + 1]! * values[i + 1]!;
    c += values[i + 2]! * values[i + 2]!;
    d += values[i + 3]! * values[i + 3]!;
  }
  for (; i < values.length; i++) a += values[i]! * values[i]!;
  return a + b + (c + d);
}

/** The Euclidean norm of all gradients taken as one vector; not finite as soon as one element is not. */
export function globalNorm(gradients: Iterable<Float32Array>): number {
  let sum = 0;
  for (const gradient of gradients) sum += sumOfSquares(gradient);
  return Math.sqrt(sum);
}

/**
 * The factor that brings gradients of global norm `norm` down to `maxNorm`, as PyTorch's `clip_grad_norm_` has it:
 * maxNorm / (norm + 1e-6), at most 1. A `maxNorm` of 0 clips nothing.
 */
export function clipCoefficient(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}
