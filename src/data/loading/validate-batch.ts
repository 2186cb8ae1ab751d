import { GraftError } from "../../errors.js";
import type { Batch } from "./batch.js";

/** What a model accepts. */
export interface BatchLimits {
  /** Classes; labels must be below (-100, the ignored label, is fine). Leave out for regression. */
  readonly numLabels?: number;
  /** Rows of the model's token embedding. */
  readonly vocabSize?: number;
  /** Most tokens in a row (the model's positions). */
  readonly maxSequenceLength?: number;
}

const IGNORED_LABEL = -100;

/**
 * Checks a batch against a model before it runs: an id that is out of range would read beyond an embedding.
 * @throws GraftError `invalid-label`, `invalid-token`, `shape-mismatch` or `not-finite`, naming the dataset's rows (from 0).
 */
export function validateBatch(batch: Batch, { numLabels, vocabSize, maxSequenceLength }: BatchLimits): void {
  const { labels, inputIds } = batch.tensors;
  if (labels !== undefined) checkLabels(batch, labels.data as ArrayLike<number>, labels.dtype, numLabels);
  if (inputIds === undefined) return;
  const sequence = inputIds.shape[1] ?? 1;
  if (maxSequenceLength !== undefined && sequence > maxSequenceLength) {
    throw new GraftError(
      "shape-mismatch",
      `a batch has rows of ${sequence} tokens, the model has ${maxSequenceLength} positions`,
      `Tokenise with maxLength ${maxSequenceLength} or less.`,
    );
  }
  if (vocabSize !== undefined) {
    const ids = inputIds.data as Int32Array;
    const bad = ids.findIndex((id) => id < 0 || id >= vocabSize);
    if (bad >= 0) {
      throw new GraftError(
        "invalid-token",
        `row ${batch.indices[Math.floor(bad / sequence)]} holds the token id ${ids[bad]}, the model's vocabulary has ${vocabSize}`,
        "The tokenizer belongs to another model: use the one in the model's folder.",
      );
    }
  }
}

function checkLabels(batch: Batch, labels: ArrayLike<number>, dtype: string, numLabels: number | undefined): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    const row = `row ${batch.indices[i]}`;
    if (dtype === "float32" && !Number.isFinite(label)) {
      throw new GraftError("not-finite", `${row} has the label ${label}`, "Regression targets are finite numbers.");
    }
    if (
      dtype !== "float32" &&
      numLabels !== undefined &&
      label !== IGNORED_LABEL &&
      (label < 0 || label >= numLabels)
    ) {
      throw new GraftError(
        "invalid-label",
        `${row} has the label ${label}, the model has ${numLabels} classes (0 to ${numLabels - 1})`,
        "Load the model with the data's label2id, or correct the row.",
      );
    }
  }
}
