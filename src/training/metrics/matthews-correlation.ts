import type { Metric } from "./metric.js";
import { classCounts, type MetricInput } from "./types.js";

/**
 * Correlation of predicted and true classes (Matthews 1975; Gorodkin 2004 for several classes), from -1 to 1;
 * 0 where one side holds one class only, as scikit-learn has it.
 */
export function matthewsCorrelation(input: MetricInput): { matthews_correlation: number } {
  const rows = input.references.length;
  let right = 0;
  let cross = 0;
  let predictedSquares = 0;
  let actualSquares = 0;
  for (const { truePositives, falsePositives, falseNegatives } of classCounts(input).values()) {
    const predicted = truePositives + falsePositives;
    const actual = truePositives + falseNegatives;
    right += truePositives;
    cross += predicted * actual;
    predictedSquares += predicted * predicted;
    actualSquares += actual * actual;
  }
  const denominator = Math.sqrt((rows * rows - predictedSquares) * (rows * rows - actualSquares));
  return { matthews_correlation: denominator === 0 ? 0 : (right * rows - cross) / denominator };
}

export const matthewsCorrelationMetric: Metric = {
  kind: "classes",
  gives: ["matthews_correlation"],
  help: "correlation of predicted and true classes, -1 to 1",
  compute: matthewsCorrelation,
};
