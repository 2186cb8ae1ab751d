import { GraftError } from "../../errors.js";
import type { ModelConfig } from "../../models/index.js";
import { nearest } from "../../nearest.js";
import type { ProblemType } from "../../problem-type.js";
import { type TaskName, tasks } from "../../tasks/index.js";
import type { ComputeMetrics, MetricKind, MetricName } from "../../training/index.js";
import { evaluateMetrics, metrics } from "../../training/index.js";

const compared: { readonly [K in MetricKind]: string } = {
  classes: "classes",
  values: "values",
  tags: "the tags of sentences",
  labelSets: "sets of labels",
  tokens: "the tokens of texts",
};

/** @throws GraftError `invalid-config` for a metric of another kind of task */
function chosenMetrics(
  names: readonly MetricName[] | undefined,
  task: TaskName,
  problemType: ProblemType,
): readonly MetricName[] {
  const { choices, usual } = tasks[task].metrics(problemType);
  const unfit = names?.find((name) => !choices.includes(name));
  if (unfit === undefined) return names ?? [usual].flat();
  throw new GraftError(
    "invalid-config",
    `the metric ${unfit} compares ${compared[metrics[unfit].kind]}, but the task is ${problemType === "single_label_classification" ? task : problemType}`,
    `Metrics for this task: ${choices.join(", ")}.`,
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
  task: TaskName,
  problemType: ProblemType,
): void {
  const known = ["loss", ...chosenMetrics(names, task, problemType).flatMap((name) => metrics[name].gives)];
  const plain = wanted?.replace(/^eval_/, "") ?? "loss";
  if (known.includes(plain)) return;
  const { choices } = tasks[task].metrics(problemType);
  const addable = choices.find((name) => metrics[name].gives.includes(plain));
  throw new GraftError(
    "invalid-config",
    `metricForBestModel is "${wanted}", but evaluations compute ${known.join(", ")}`,
    addable ? `Add ${addable} to the run's metrics.` : `Did you mean "${nearest(plain, known, 1)[0]}"?`,
    { option: "metricForBestModel" },
  );
}

/**
 * What evaluations compute, by name.
 * @param names default: the task's usual metric
 */
export function computeMetricsOf(
  names: readonly MetricName[] | undefined,
  task: TaskName,
  { id2label }: ModelConfig,
  problemType: ProblemType,
): ComputeMetrics {
  const chosen = chosenMetrics(names, task, problemType);
  return ({ predictions, labelIds, loss }) =>
    labelIds === undefined ? {} : evaluateMetrics(chosen, { predictions, labelIds, id2label, loss });
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
