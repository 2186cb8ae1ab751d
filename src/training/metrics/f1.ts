import { GraftError } from "../../errors.js";
import type { Metric } from "./metric.js";
import { type ClassCounts, classCounts, type MetricInput } from "./types.js";

export type F1Average = "binary" | "macro" | "micro" | "weighted";

function score({ truePositives, falsePositives, falseNegatives }: ClassCounts): number {
  const denominator = 2 * truePositives + falsePositives + falseNegatives;
  return denominator === 0 ? 0 : (2 * truePositives) / denominator;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** How the scores of the classes become one, by scikit-learn's names. */
const averages: { readonly [K in Exclude<F1Average, "binary">]: (counts: readonly ClassCounts[]) => number } = {
  macro: (counts) => sum(counts.map(score)) / counts.length,
  micro: (counts) =>
    score({
      truePositives: sum(counts.map((c) => c.truePositives)),
      falsePositives: sum(counts.map((c) => c.falsePositives)),
      falseNegatives: sum(counts.map((c) => c.falseNegatives)),
    }),
  weighted: (counts) => {
    const support = counts.map((c) => c.truePositives + c.falseNegatives);
    return sum(counts.map((c, i) => score(c) * support[i]!)) / sum(support);
  },
};

/**
 * Harmonic mean of precision and recall, as scikit-learn's `f1_score`; 0 where there is nothing to find.
 * @param options.average default "binary": the score of class `positiveLabel` (default 1)
 * @throws GraftError `invalid-argument` for more than two classes with "binary"
 */
export function f1(
  input: MetricInput,
  options: { readonly average?: F1Average; readonly positiveLabel?: number } = {},
): { f1: number } {
  const { average = "binary", positiveLabel = 1 } = options;
  const counts = classCounts(input);
  if (average !== "binary") return { f1: averages[average]([...counts.values()]) };
  if (counts.size > 2) {
    throw new GraftError(
      "invalid-argument",
      `binary f1 is asked for, but the rows have ${counts.size} classes (${[...counts.keys()].join(", ")})`,
      'Choose average "macro", "micro" or "weighted".',
    );
  }
  const counted = counts.get(positiveLabel);
  return { f1: counted === undefined ? 0 : score(counted) };
}

/** Of two classes the score of class 1, of more the mean over them ("macro"). */
export const f1Metric: Metric = {
  kind: "classes",
  gives: ["f1"],
  help: "harmonic mean of precision and recall: of class 1, or the mean over more than two classes",
  compute: (input) => f1(input, { average: input.numLabels > 2 ? "macro" : "binary" }),
};
