import { GraftError } from "../../errors.js";
import type { CallbackState, LogEntry } from "../checkpoints/state.js";
import type { CallbackEvent, TrainerCallback } from "./types.js";

export interface EarlyStoppingOptions {
  /** Evaluations without improvement after which the run ends. Default 1. */
  readonly earlyStoppingPatience?: number;
  /** The least difference that counts as improvement. Default 0. */
  readonly earlyStoppingThreshold?: number;
}

/** Ends a run when `metricForBestModel` has not improved for some evaluations; rules of transformers' callback. */
export class EarlyStoppingCallback implements TrainerCallback {
  readonly name = "EarlyStoppingCallback";
  private readonly patience: number;
  private readonly threshold: number;
  private waited = 0;
  private best: number | null = null;

  constructor({ earlyStoppingPatience = 1, earlyStoppingThreshold = 0 }: EarlyStoppingOptions = {}) {
    this.patience = earlyStoppingPatience;
    this.threshold = earlyStoppingThreshold;
  }

  onTrainBegin({ args, state }: CallbackEvent): void {
    // A run that is not resumed knows nothing of the one before.
    if (state.statefulCallbacks[this.name] === undefined) {
      this.waited = 0;
      this.best = null;
    }
    if (args.metricForBestModel !== null && args.evalStrategy !== "no") return;
    throw new GraftError(
      "invalid-config",
      `EarlyStoppingCallback needs a metric and evaluations; metricForBestModel is ${args.metricForBestModel} and evalStrategy "${args.evalStrategy}"`,
      'Set metricForBestModel (for example "accuracy") and evalStrategy ("epoch" or "steps").',
    );
  }

  onEvaluate({ args, control, metrics }: CallbackEvent & { readonly metrics: LogEntry }): void {
    const value = metrics[metricKey(args.metricForBestModel ?? "loss")];
    if (value === undefined) return;
    const gain = this.gainOf(value, args.greaterIsBetter ?? false);
    if (gain > this.threshold) this.waited = 0;
    else this.waited++;
    if (gain > 0) this.best = value;
    if (this.waited >= this.patience) control.shouldTrainingStop = true;
  }

  /** NaN is no improvement on anything. */
  private gainOf(value: number, greaterIsBetter: boolean): number {
    if (Number.isNaN(value)) return Number.NEGATIVE_INFINITY;
    if (this.best === null) return Number.POSITIVE_INFINITY;
    return (value - this.best) * (greaterIsBetter ? 1 : -1);
  }

  saveState(): CallbackState {
    return {
      args: { early_stopping_patience: this.patience, early_stopping_threshold: this.threshold },
      attributes: { early_stopping_patience_counter: this.waited, best: this.best },
    };
  }

  restoreState({ attributes }: CallbackState): void {
    this.waited = Number(attributes.early_stopping_patience_counter ?? 0);
    this.best = typeof attributes.best === "number" ? attributes.best : null;
  }
}

/** A metric's name in logs: "accuracy" and "eval_accuracy" both mean eval_accuracy. */
export function metricKey(metric: string): string {
  return metric.startsWith("eval_") ? metric : `eval_${metric}`;
}
