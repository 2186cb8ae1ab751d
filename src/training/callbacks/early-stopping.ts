import { GraftError } from "../../errors.js";
import type { CallbackState, LogEntry } from "../state.js";
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

  onTrainBegin({ args }: CallbackEvent): void {
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
    const gain = this.best === null ? Number.POSITIVE_INFINITY : (value - this.best) * (args.greaterIsBetter ? 1 : -1);
    if (gain > this.threshold) this.waited = 0;
    else this.waited++;
    if (gain > 0) this.best = value;
    if (this.waited >= this.patience) control.shouldTrainingStop = true;
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
