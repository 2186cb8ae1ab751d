import { GraftError } from "../../errors.js";
import type { TensorData } from "../../tensor-data.js";

function addScaled(sum: Float32Array, values: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + weight * values[i]!;
}

function scale(values: Float32Array, weight: number): void {
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * weight;
}

/** Sums of gradients since the last optimiser step, by the name of the resident tensor. */
export class GradientAccumulators {
  private readonly sums = new Map<string, TensorData<"float32">>();
  private brokenLoss: number | undefined;

  /** Adds weight * gradient. The first gradient's array becomes the sum itself: the caller gives it away. */
  add(name: string, gradient: TensorData, weight: number): void {
    const values = gradient.data as Float32Array;
    const sum = this.sums.get(name);
    if (sum !== undefined && sum.data.length === values.length) {
      addScaled(sum.data, values, weight);
      return;
    }
    if (sum !== undefined) {
      throw new GraftError(
        "shape-mismatch",
        `the gradient of "${name}" has shape [${gradient.shape}], the sum so far [${sum.shape}]`,
        "Take an optimiser step or zeroGrad before a tensor is replaced by one of another shape.",
      );
    }
    if (weight !== 1) scale(values, weight);
    this.sums.set(name, gradient as TensorData<"float32">);
  }

  /** Remembers a loss that is not finite, so that the optimiser refuses the step. */
  noteLoss(loss: number): void {
    if (!Number.isFinite(loss)) this.brokenLoss = loss;
  }

  /** The first loss since the last step that was NaN or infinite. */
  get nonFiniteLoss(): number | undefined {
    return this.brokenLoss;
  }

  get(name: string): TensorData<"float32"> | undefined {
    return this.sums.get(name);
  }

  names(): string[] {
    return [...this.sums.keys()];
  }

  clear(names: Iterable<string>): void {
    for (const name of names) this.sums.delete(name);
    this.brokenLoss = undefined;
  }
}
