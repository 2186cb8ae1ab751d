import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import type { ComputeMetrics, MetricInput, MetricName } from "../../training/index.js";
import { argMax, f1, metrics } from "../../training/index.js";

/** Which metrics compare values; the others compare classes. */
const comparesValues: { readonly [K in MetricName]: boolean } = {
  accuracy: false,
  f1: false,
  matthews_correlation: false,
  pearson: true,
};

/** @throws GraftError `invalid-config` for a metric of the other kind of task */
function chosenMetrics(names: readonly MetricName[] | undefined, isRegression: boolean): readonly MetricName[] {
  const unfit = names?.find((name) => comparesValues[name] !== isRegression);
  if (unfit === undefined) return names ?? [isRegression ? "pearson" : "accuracy"];
  const fitting = Object.entries(comparesValues).flatMap(([name, ofValues]) =>
    ofValues === isRegression ? [name] : [],
  );
  throw new GraftError(
    "invalid-config",
    `the metric ${unfit} compares ${isRegression ? "classes, but the task is regression" : "values, but the task has classes"}`,
    `Metrics for this task: ${fitting.join(", ")}.`,
    { option: "metrics" },
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
    { option: "metricForBestModel" },
  );
}

/**
 * What evaluations compute, by name. F1 of more than two classes is the mean over them ("macro").
 * @param names default: accuracy, or pearson for regression
 */
export function computeMetricsOf(
  names: readonly MetricName[] | undefined,
  numLabels: number,
  isRegression: boolean,
): ComputeMetrics {
  const chosen = chosenMetrics(names, isRegression);
  const compute: { readonly [K in MetricName]: (input: MetricInput) => Readonly<Record<string, number>> } = {
    ...metrics,
    f1: (input) => f1(input, { average: numLabels > 2 ? "macro" : "binary" }),
  };
  return ({ predictions, labelIds }) => {
    if (labelIds === undefined) return {};
    const input = {
      predictions: isRegression ? predictions.data : argMax(predictions),
      references: labelIds.data as ArrayLike<number>,
    };
    return Object.assign({}, ...chosen.map((name) => compute[name](input)));
  };
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
