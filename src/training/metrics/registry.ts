import { accuracyMetric } from "./accuracy.js";
import { f1Metric } from "./f1.js";
import { perplexityMetric, tokenAccuracyMetric } from "./language.js";
import { matthewsCorrelationMetric } from "./matthews-correlation.js";
import type { Metric } from "./metric.js";
import { multiLabelMetric } from "./multi-label.js";
import { pearsonMetric } from "./pearson.js";
import { seqevalMetric } from "./seqeval.js";

/** Every metric by its name; a new one is a file and a row here. */
export const metrics = {
  accuracy: accuracyMetric,
  f1: f1Metric,
  matthews_correlation: matthewsCorrelationMetric,
  multi_label: multiLabelMetric,
  pearson: pearsonMetric,
  perplexity: perplexityMetric,
  seqeval: seqevalMetric,
  token_accuracy: tokenAccuracyMetric,
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof metrics;
export const metricNames = Object.keys(metrics) as MetricName[];
