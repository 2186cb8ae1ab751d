import { type ModelConfig, resolveProblemType } from "../models/index.js";
import type { ProblemType } from "../problem-type.js";
import type { Prediction } from "./task.js";

/** One class of a prediction. */
export interface Score {
  readonly label: string;
  readonly id: number;
  readonly probability: number;
}

export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

const toProbabilities: { readonly [P in Exclude<ProblemType, "regression">]: (logits: ArrayLike<number>) => number[] } =
  {
    single_label_classification: softmax,
    multi_label_classification: (logits) => Array.from(logits, (value) => 1 / (1 + Math.exp(-value))),
  };

export const labelOf = ({ id2label }: Pick<ModelConfig, "id2label">, id: number): string =>
  id2label[id] ?? `LABEL_${id}`;

/**
 * What a classifier says about one input: its likeliest classes, best first, or the values of a regression.
 * @param logits of one row, one for each class
 */
export function predictionOf(logits: ArrayLike<number>, config: ModelConfig, topK: number): Prediction {
  const problemType = resolveProblemType(config);
  if (problemType === "regression") {
    const values = Array.from(logits, Number);
    const [value = Number.NaN] = values;
    if (values.length <= 1) return { json: { value }, rows: [["value", { value }]] };
    return { json: { values }, rows: values.map((one, id) => [labelOf(config, id), { value: one }]) };
  }
  const labels = toProbabilities[problemType](logits)
    .map((probability, id): Score => ({ label: labelOf(config, id), id, probability }))
    .sort((a, b) => b.probability - a.probability || a.id - b.id)
    .slice(0, topK);
  return { json: { labels }, rows: labels.map(({ label, probability }) => [label, { share: probability }]) };
}
