import { GraftError } from "../../errors.js";
import type { Metric, MetricInputs } from "./metric.js";

interface Counts {
  truePositives: number;
  predicted: number;
  actual: number;
}

/** 0 where there is nothing to find and nothing found, as scikit-learn's `zero_division=0`. */
const score = ({ truePositives, predicted, actual }: Counts): number =>
  predicted + actual === 0 ? 0 : (2 * truePositives) / (predicted + actual);

/**
 * Rows with any number of labels, a class being predicted from probability 0.5 on: f1 over all classes' counts
 * (`f1_micro`), the mean of the classes' f1 (`f1_macro`), and the share of rows whose classes are all right
 * (`accuracy`), as scikit-learn computes them.
 * @throws GraftError `shape-mismatch`, `empty-dataset`
 */
export function multiLabel({ predictions, references, numLabels }: MetricInputs["labelSets"]): {
  accuracy: number;
  f1_micro: number;
  f1_macro: number;
} {
  const rows = references.length / numLabels;
  if (predictions.length !== references.length || !Number.isInteger(rows)) {
    throw new GraftError(
      "shape-mismatch",
      `${predictions.length} predictions but ${references.length} references of ${numLabels} classes`,
      "Give a 0 or 1 for each class of each row.",
    );
  }
  if (rows === 0)
    throw new GraftError("empty-dataset", "a metric of no rows has no value", "Evaluate at least one row.");
  const counts = Array.from({ length: numLabels }, (): Counts => ({ truePositives: 0, predicted: 0, actual: 0 }));
  let right = 0;
  for (let row = 0; row < rows; row++) {
    let isRight = true;
    counts.forEach((count, at) => {
      const said = predictions[row * numLabels + at] as number;
      const is = references[row * numLabels + at] as number;
      count.predicted += said;
      count.actual += is;
      count.truePositives += said * is;
      isRight &&= said === is;
    });
    if (isRight) right++;
  }
  const total = (key: keyof Counts) => counts.reduce((sum, count) => sum + count[key], 0);
  const all = { truePositives: total("truePositives"), predicted: total("predicted"), actual: total("actual") };
  return {
    accuracy: right / rows,
    f1_micro: score(all),
    f1_macro: counts.reduce((sum, count) => sum + score(count), 0) / numLabels,
  };
}

export const multiLabelMetric: Metric = {
  kind: "labelSets",
  gives: ["accuracy", "f1_micro", "f1_macro"],
  help: "several labels a row: share of rows that are right in all classes, f1 over all labels, and its mean over the classes",
  compute: multiLabel,
};
