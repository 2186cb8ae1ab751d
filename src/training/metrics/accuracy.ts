import type { Metric } from "./metric.js";
import { type MetricInput, requirePairs } from "./types.js";

/** Share of rows whose class was predicted. */
export function accuracy(input: MetricInput): { accuracy: number } {
  requirePairs(input);
  let right = 0;
  for (let row = 0; row < input.references.length; row++) {
    if (input.predictions[row] === input.references[row]) right++;
  }
  return { accuracy: right / input.references.length };
}

export const accuracyMetric: Metric = {
  kind: "classes",
  gives: ["accuracy"],
  help: "share of rows (or words) whose class is predicted",
  compute: accuracy,
};
