import { ignoredLabel } from "../../problem-type.js";
import type { TensorData } from "../../tensor-data.js";
import { argMax } from "./arg-max.js";
import type { Metric, MetricInputs, MetricKind } from "./metric.js";
import { type MetricName, metrics } from "./registry.js";

/** What a model said about rows, with their labels and the labels' names. */
export interface Evaluation {
  /** Logits, float32 [rows, numLabels], or [rows, sequence, numLabels] of tokens; ids [tokens] of language models. */
  readonly predictions: TensorData<"float32">;
  /** int32 [rows] or [rows, sequence] (-100: does not count); float32 [rows] for values, [rows, numLabels] for several labels. */
  readonly labelIds: TensorData;
  readonly id2label: Readonly<Record<number, string>>;
  /** Mean over all labels that count. */
  readonly loss?: number | undefined;
}

const nameOf = ({ id2label }: Evaluation, id: number): string => id2label[id] ?? `LABEL_${id}`;

/** An evaluation as each kind of metric wants it. Places with the ignored label are left out. */
const inputsOf: { readonly [K in MetricKind]: (evaluation: Evaluation) => MetricInputs[K] } = {
  classes: ({ predictions, labelIds }) => {
    const classes = argMax(predictions);
    const references = Array.from(labelIds.data, Number);
    const counts = (_: number, place: number) => references[place] !== ignoredLabel;
    return {
      predictions: classes.filter(counts),
      references: references.filter(counts),
      numLabels: predictions.shape.at(-1) ?? 0,
    };
  },
  values: ({ predictions, labelIds }) => ({
    predictions: predictions.data,
    references: labelIds.data as ArrayLike<number>,
  }),
  tags: (evaluation) => {
    const { predictions, labelIds } = evaluation;
    const classes = argMax(predictions);
    const [rows = 0, sequence = 1] = labelIds.shape;
    const sides: { predictions: string[][]; references: string[][] } = { predictions: [], references: [] };
    for (let row = 0; row < rows; row++) {
      const places = Array.from({ length: sequence }, (_, token) => row * sequence + token);
      const counted = places.filter((place) => Number(labelIds.data[place]) !== ignoredLabel);
      sides.predictions.push(counted.map((place) => nameOf(evaluation, classes[place]!)));
      sides.references.push(counted.map((place) => nameOf(evaluation, Number(labelIds.data[place]))));
    }
    return sides;
  },
  tokens: ({ predictions, labelIds, loss }) => ({
    predictions: predictions.data,
    references: labelIds.data as ArrayLike<number>,
    loss,
  }),
  labelSets: ({ predictions, labelIds }) => ({
    // A logit of 0 is a probability of 0.5.
    predictions: Uint8Array.from(predictions.data, (logit) => Number(logit >= 0)),
    references: Uint8Array.from(labelIds.data as ArrayLike<number>, (share) => Number(share >= 0.5)),
    numLabels: predictions.shape.at(-1) ?? 0,
  }),
};

function compute<K extends MetricKind>(
  { kind, compute: score }: Extract<Metric, { kind: K }>,
  evaluation: Evaluation,
): Readonly<Record<string, number>> {
  return (score as (input: MetricInputs[K]) => Readonly<Record<string, number>>)(inputsOf[kind as K](evaluation));
}

/**
 * The numbers of some metrics, under the names that each gives.
 * @throws GraftError `shape-mismatch`, `empty-dataset` where no label counts
 */
export function evaluateMetrics(names: readonly MetricName[], evaluation: Evaluation): Record<string, number> {
  return Object.assign({}, ...names.map((name) => compute(metrics[name], evaluation)));
}
