import type { Metric } from "./metric.js";
import { type MetricInput, type Numbers, requirePairs } from "./types.js";

function mean(values: Numbers): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total / values.length;
}

/** Linear correlation of predicted and true values, from -1 to 1; NaN where one side is constant. */
export function pearson(input: MetricInput): { pearson: number } {
  requirePairs(input);
  const { predictions, references } = input;
  const predictedMean = mean(predictions);
  const actualMean = mean(references);
  let covariance = 0;
  let predictedVariance = 0;
  let actualVariance = 0;
  for (let row = 0; row < references.length; row++) {
    const predicted = predictions[row]! - predictedMean;
    const actual = references[row]! - actualMean;
    covariance += predicted * actual;
    predictedVariance += predicted * predicted;
    actualVariance += actual * actual;
  }
  return { pearson: covariance / Math.sqrt(predictedVariance * actualVariance) };
}

export const pearsonMetric: Metric = {
  kind: "values",
  gives: ["pearson"],
  help: "linear correlation of predicted and true values, -1 to 1",
  compute: pearson,
};
