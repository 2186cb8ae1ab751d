import { GraftError } from "../../errors.js";

/** Numbers in order of rows: a plain list or a typed array. */
export type Numbers = ArrayLike<number>;

/** What a metric compares: one prediction and one reference for each row. */
export interface MetricInput {
  /** Predicted classes, or predicted values for regression. */
  readonly predictions: Numbers;
  /** True classes or values. */
  readonly references: Numbers;
}

/** @throws GraftError `shape-mismatch` for lists of different length, `empty-dataset` for empty ones */
export function requirePairs({ predictions, references }: MetricInput): void {
  if (predictions.length !== references.length) {
    throw new GraftError(
      "shape-mismatch",
      `${predictions.length} predictions but ${references.length} references`,
      "A metric compares one prediction with one reference for each row; take argMax of logits first.",
    );
  }
  if (references.length === 0) {
    throw new GraftError("empty-dataset", "a metric of no rows has no value", "Evaluate at least one row.");
  }
}

/** Counts of true positives, false positives and false negatives of each class that occurs. */
export interface ClassCounts {
  truePositives: number;
  falsePositives: number;
  falseNegatives: number;
}

/** @returns by class, ascending */
export function classCounts(input: MetricInput): Map<number, ClassCounts> {
  requirePairs(input);
  const { predictions, references } = input;
  const classes = [...new Set([...Array.from(predictions), ...Array.from(references)])].sort((a, b) => a - b);
  const counts = new Map(
    classes.map((name): [number, ClassCounts] => [name, { truePositives: 0, falsePositives: 0, falseNegatives: 0 }]),
  );
  for (let row = 0; row < references.length; row++) {
    const predicted = counts.get(predictions[row]!)!;
    const actual = counts.get(references[row]!)!;
    if (predicted === actual) actual.truePositives++;
    else {
      predicted.falsePositives++;
      actual.falseNegatives++;
    }
  }
  return counts;
}
