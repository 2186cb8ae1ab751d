import { GraftError } from "../../errors.js";
import type { ModelConfig } from "../../models/index.js";
import { nearest } from "../../nearest.js";
import type { ComputeMetrics, MetricKind, MetricName } from "../../training/index.js";
import { evaluateMetrics, metricNames, metrics } from "../../training/index.js";

/** What metrics of a task compare. */
const kindOf = (isRegression: boolean): MetricKind => (isRegression ? "values" : "classes");

/** @throws GraftError `invalid-config` for a metric of the other kind of task */
function chosenMetrics(names: readonly MetricName[] | undefined, isRegression: boolean): readonly MetricName[] {
  const kind = kindOf(isRegression);
  const unfit = names?.find((name) => metrics[name].kind !== kind);
  if (unfit === undefined) return names ?? [isRegression ? "pearson" : "accuracy"];
  const fitting = metricNames.filter((name) => metrics[name].kind === kind);
  throw new GraftError(
    "invalid-config",
    `the metric ${unfit} compares ${isRegression ? "classes, but the task is regression" : "values, but the task has classes"}`,
    `Metrics for this task: ${fitting.join(", ")}.`,
  );
}

/**
 * Refuses a metric that no evaluation of the run will compute, before any time is spent on training.
 * @throws GraftError `invalid-config`
 */
export function requireMetric(
  wanted: string | null,
  names: readonly MetricName[] | undefined,
  isRegression: boolean,
): void {
  const known: string[] = ["loss", ...chosenMetrics(names, isRegression)];
  const plain = wanted?.replace(/^eval_/, "") ?? "loss";
  if (known.includes(plain)) return;
  const isComputable = Object.hasOwn(metrics, plain);
  throw new GraftError(
    "invalid-config",
    `metricForBestModel is "${wanted}", but evaluations compute ${known.join(", ")}`,
    isComputable ? `Add ${plain} to the run's metrics.` : `Did you mean "${nearest(plain, known, 1)[0]}"?`,
  );
}

/**
 * What evaluations compute, by name.
 * @param names default: accuracy, or pearson for regression
 */
export function computeMetricsOf(
  names: readonly MetricName[] | undefined,
  { id2label }: ModelConfig,
  isRegression: boolean,
): ComputeMetrics {
  const chosen = chosenMetrics(names, isRegression);
  return ({ predictions, labelIds }) =>
    labelIds === undefined ? {} : evaluateMetrics(chosen, { predictions, labelIds, id2label });
}

/** Metrics for people: without the pace, and under their plain names. */
export function plainMetrics(all: Readonly<Record<string, number>>, prefix: string): Record<string, number> {
  const pace = new Set(["runtime", "samples_per_second", "steps_per_second"]);
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) => {
      const plain = name.startsWith(`${prefix}_`) ? name.slice(prefix.length + 1) : undefined;
      return plain === undefined || pace.has(plain) ? [] : [[plain, value]];
    }),
  );
}
