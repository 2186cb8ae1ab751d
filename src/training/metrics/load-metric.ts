import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import { accuracy } from "./accuracy.js";
import { f1 } from "./f1.js";
import { matthewsCorrelation } from "./matthews-correlation.js";
import { pearson } from "./pearson.js";
import type { MetricInput } from "./types.js";

type Compute = (input: MetricInput) => Readonly<Record<string, number>>;

/** Metrics that compare one number a row, under the names of Python's `evaluate`. */
const loadable = {
  accuracy,
  f1,
  matthews_correlation: matthewsCorrelation,
  pearsonr: pearson,
} as const satisfies Readonly<Record<string, Compute>>;

export type LoadableMetric = keyof typeof loadable;

/** A metric of `loadMetric`. */
export interface LoadedMetric {
  readonly name: string;
  /** @throws GraftError `shape-mismatch`, `empty-dataset` */
  compute(input: MetricInput): Readonly<Record<string, number>>;
}

/**
 * A metric by its name, as `evaluate.load` of Python.
 * @example loadMetric("accuracy").compute({ predictions, references })
 * @throws GraftError `invalid-argument` with near names
 */
export function loadMetric(name: LoadableMetric | (string & {})): LoadedMetric {
  const compute: Compute | undefined = Object.hasOwn(loadable, name) ? loadable[name as LoadableMetric] : undefined;
  if (compute !== undefined) return { name, compute };
  const near = nearest(name, Object.keys(loadable), 4).join(", ");
  throw new GraftError("invalid-argument", `there is no metric "${name}" to load`, `Metrics: ${near}.`);
}
