import type { MetricInput } from "./types.js";

/** Names of tags, sentence by sentence; both sides have as many sentences, each of the same length. */
export interface TagSequences {
  readonly predictions: readonly (readonly string[])[];
  readonly references: readonly (readonly string[])[];
}

/**
 * What metrics compare: a class for each row (or word), a value for each row, the tags of sentences, a set of
 * classes for each row, or the tokens of texts.
 */
export interface MetricInputs {
  /** Ids that a language model predicts, those that stand there, and the mean loss over them. */
  readonly tokens: MetricInput & { readonly loss: number | undefined };
  readonly classes: MetricInput & {
    /** How many classes the model tells apart. */
    readonly numLabels: number;
  };
  readonly values: MetricInput;
  readonly tags: TagSequences;
  /** A 0 or 1 for each class of each row, rows one after another. */
  readonly labelSets: MetricInput & { readonly numLabels: number };
}

export type MetricKind = keyof MetricInputs;

/** A metric of one kind, under the names that logs and `metricForBestModel` have for its numbers. */
interface MetricOf<K extends MetricKind> {
  readonly kind: K;
  /** Names of the numbers that it computes. */
  readonly gives: readonly string[];
  /** What it is, for help. */
  readonly help: string;
  /** @throws GraftError `shape-mismatch`, `empty-dataset` */
  compute(input: MetricInputs[K]): Readonly<Record<string, number>>;
}

export type Metric = { [K in MetricKind]: MetricOf<K> }[MetricKind];
