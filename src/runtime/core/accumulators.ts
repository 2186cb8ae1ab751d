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
  /** The loss that is not finite and came with a sum's gradients, by the sum's name. */
  private readonly brokenLosses = new Map<string, number>();

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

  /** Remembers a loss that is not finite with the sums that its gradients go into, so that the optimiser refuses the step. */
  noteLoss(loss: number, names: Iterable<string>): void {
    if (Number.isFinite(loss)) return;
    for (const name of names) this.brokenLosses.set(name, loss);
  }

  /** A loss since the last step that was NaN or infinite, and whose gradients went into one of these sums. */
  nonFiniteLoss(names: readonly string[]): number | undefined {
    const broken = names.find((name) => this.brokenLosses.has(name));
    return broken === undefined ? undefined : this.brokenLosses.get(broken);
  }

  get(name: string): TensorData<"float32"> | undefined {
    return this.sums.get(name);
  }

  /** Multiplies sums by a factor. */
  scale(names: Iterable<string>, factor: number): void {
    if (factor === 1) return;
    for (const name of names) {
      const sum = this.sums.get(name);
      if (sum !== undefined) scale(sum.data, factor);
    }
  }

  clear(names: Iterable<string>): void {
    for (const name of names) {
      this.sums.delete(name);
      this.brokenLosses.delete(name);
    }
  }
}
