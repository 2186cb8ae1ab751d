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

/** What a row holds: a class id or a value, or a list of numbers. */
export type RowLabel = number | readonly number[];

/** The kinds of labels that rows hold. */
export type RowProblemType = ProblemType;

const isNumber = (label: unknown): boolean => typeof label === "number";
const isNumbers = (label: unknown): boolean => Array.isArray(label) && label.every(isNumber);

interface LabelKind {
  /** Typed arrays would take "cat" for 0 and 1.5 for 1. */
  fits(label: unknown): boolean;
  readonly what: string;
  readonly hint: string;
}

const kinds: { readonly [P in ProblemType]: LabelKind } = {
  single_label_classification: {
    fits: Number.isInteger,
    what: "class id",
    hint: 'Class ids are whole numbers from 0: look names up in the model\'s label2id; for other numbers use problemType "regression".',
  },
  regression: {
    fits: (label) => isNumber(label) || isNumbers(label),
    what: "number",
    hint: "Regression targets are numbers.",
  },
  multi_label_classification: {
    fits: isNumbers,
    what: "list of numbers",
    hint: "Rows with several labels hold a number from 0 to 1 for each class: [0, 1, 1].",
  },
};

function invalidLabel(label: unknown, problemType: ProblemType): GraftError {
  const shown = typeof label === "string" ? JSON.stringify(label) : String(label);
  const { what, hint } = kinds[problemType];
  return new GraftError("invalid-label", `a row has the label ${shown}, which is no ${what}`, hint);
}

/** Lists of one length as one tensor. @throws GraftError `invalid-label` */
function listTensor(lists: readonly RowLabel[]): TensorData {
  const first = lists[0];
  const width = typeof first === "object" ? first.length : 0;
  const odd = lists.find((list) => typeof list !== "object" || list.length !== width);
  if (odd !== undefined) {
    throw new GraftError(
      "invalid-label",
      `the rows of a batch have labels of different lengths: [${String(first)}] and [${String(odd)}]`,
      "Give every row a number for each class (or value).",
    );
  }
  return tensorData("float32", [lists.length, width], Float32Array.from(lists.flat()));
}

/**
 * Labels of shape [batch], or [batch, numbers] where rows hold lists; `{}` when no row has one.
 * @throws GraftError `invalid-label` when only some rows have one, or one of another kind than the problem type's.
 */
export function labelTensor(
  rows: readonly { readonly label?: RowLabel }[],
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
  const odd = values.find((label) => !kinds[problemType].fits(label));
  if (odd !== undefined) throw invalidLabel(odd, problemType);
  if (typeof values[0] === "object") return { labels: listTensor(values) };
  const plain = values as number[];
  const isValue = problemType === "regression";
  return {
    labels: isValue
      ? tensorData("float32", [rows.length], Float32Array.from(plain))
      : tensorData("int32", [rows.length], Int32Array.from(plain)),
  };
}
