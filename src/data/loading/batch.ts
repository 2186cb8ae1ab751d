import { GraftError } from "../../errors.js";
import { type TensorData, tensorData } from "../../tensor-data.js";

/** A model's inputs by name: inputIds, attentionMask, tokenTypeIds (int32), pixelValues (float32), labels. */
export type BatchTensors = { readonly [name: string]: TensorData };

/** A collated batch with the numbers of the dataset's rows in it. */
export interface Batch {
  readonly tensors: BatchTensors;
  readonly indices: readonly number[];
}

/** "regression" makes labels float32, the others int32 class ids. */
export type ProblemType = "single_label_classification" | "regression";

/**
 * Labels of shape [batch]; `{}` when no row has one.
 * @throws GraftError `invalid-label` when only some rows have one.
 */
export function labelTensor(
  rows: readonly { readonly label?: number }[],
  problemType: ProblemType = "single_label_classification",
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
  const labels =
    problemType === "regression"
      ? tensorData("float32", [rows.length], Float32Array.from(values))
      : tensorData("int32", [rows.length], Int32Array.from(values));
  return { labels };
}
