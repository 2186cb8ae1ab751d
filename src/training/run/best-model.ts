import { GraftError } from "../../errors.js";
import type { TrainingArguments } from "../arguments/index.js";
import { metricKey } from "../callbacks/index.js";
import type { LogEntry, TrainerState } from "../checkpoints/state.js";

/**
 * Notes the metric of an evaluation where it beats all before it.
 * @returns whether it did
 * @throws GraftError `invalid-config` when the evaluation has no such metric
 */
export function noteBest(args: TrainingArguments, state: TrainerState, metrics: LogEntry): boolean {
  if (args.metricForBestModel === null) return false;
  const key = metricKey(args.metricForBestModel);
  const value = metrics[key];
  if (value === undefined) {
    throw new GraftError(
      "invalid-config",
      `metricForBestModel is "${args.metricForBestModel}", but the evaluation has no ${key}`,
      `It has ${Object.keys(metrics).join(", ")}; return the metric from computeMetrics, or choose one of these.`,
    );
  }
  const isBetter =
    state.bestMetric === null || (args.greaterIsBetter ? value > state.bestMetric : value < state.bestMetric);
  if (!isBetter || Number.isNaN(value)) return false;
  state.bestMetric = value;
  if (args.saveStrategy !== "no") state.bestGlobalStep = state.globalStep;
  return true;
}
