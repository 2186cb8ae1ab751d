import { accuracy } from "./accuracy.js";
import { f1 } from "./f1.js";
import { matthewsCorrelation } from "./matthews-correlation.js";
import { pearson } from "./pearson.js";
import type { MetricInput } from "./types.js";

export type MetricName = "accuracy" | "f1" | "matthews_correlation" | "pearson";

/** Every metric by the name it has in logs and in `metricForBestModel`; a new one is a file and a row here. */
export const metrics: { readonly [K in MetricName]: (input: MetricInput) => Readonly<Record<K, number>> } = {
  accuracy,
  f1,
  matthews_correlation: matthewsCorrelation,
  pearson,
};

export { accuracy } from "./accuracy.js";
export { argMax } from "./arg-max.js";
export { type F1Average, f1 } from "./f1.js";
export { matthewsCorrelation } from "./matthews-correlation.js";
export { pearson } from "./pearson.js";
export type { MetricInput, Numbers } from "./types.js";
