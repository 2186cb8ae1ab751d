import type { ComputeMetrics, MetricInput, MetricName } from "../../training/index.js";
import { argMax, f1, metrics } from "../../training/index.js";

/**
 * What evaluations compute, by name. F1 of more than two classes is the mean over them ("macro").
 * @param names default: accuracy, or pearson for regression
 */
export function computeMetricsOf(
  names: readonly MetricName[] | undefined,
  numLabels: number,
  isRegression: boolean,
): ComputeMetrics {
  const chosen = names ?? [isRegression ? "pearson" : "accuracy"];
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
