import { GraftError } from "../../errors.js";
import type { ProblemType } from "../../problem-type.js";
import { type TensorData, tensorData } from "../../tensor-data.js";

/** A model's inputs by name: inputIds, attentionMask, tokenTypeIds (int32), pixelValues (float32), labels. */
export type BatchTensors = { readonly [name: string]: TensorData };

/** A collated batch with the numbers of the dataset's rows in it. */
export interface Batch {
  readonly tensors: BatchTensors;
  readonly indices: readonly number[];
}

/** The kinds of labels that rows hold: a class id or a value each. */
export type RowProblemType = Exclude<ProblemType, "multi_label_classification">;

/** Typed arrays would take "cat" for 0 and 1.5 for 1. */
const fits: { readonly [P in RowProblemType]: (label: unknown) => boolean } = {
  single_label_classification: Number.isInteger,
  regression: (label) => typeof label === "number",
};

function invalidLabel(label: unknown, problemType: RowProblemType): GraftError {
  const shown = typeof label === "string" ? JSON.stringify(label) : String(label);
  const isValue = problemType === "regression";
  return new GraftError(
    "invalid-label",
    `a row has the label ${shown}, which is no ${isValue ? "number" : "class id"}`,
    isValue
      ? "Regression targets are numbers."
      : 'Class ids are whole numbers from 0: look names up in the model\'s label2id; for other numbers use problemType "regression".',
  );
}

/**
 * Labels of shape [batch]; `{}` when no row has one.
 * @throws GraftError `invalid-label` when only some rows have one, or one that is no class id (no number in regression).
 */
export function labelTensor(
  rows: readonly { readonly label?: number }[],
  problemType: RowProblemType = "single_label_classification",
): { labels?: TensorData } {
  const values = rows.map((row) => row.label).filter((label) => label !== undefined);
  if (values.length === 0) return {};
  if (values.length !== rows.length) {
    throw new GraftError(
      "invalid-label",
      `${rows.length - values.length} of ${rows.length} rows of a batch have no label`,
      "Give every row a label, or none.",
    );
  }
  const odd = values.find((label) => !fits[problemType](label));
  if (odd !== undefined) throw invalidLabel(odd, problemType);
  const labels =
    problemType === "regression"
      ? tensorData("float32", [rows.length], Float32Array.from(values))
      : tensorData("int32", [rows.length], Int32Array.from(values));
  return { labels };
}
