import { checkedOptions } from "../../options/option-table.js";
import { withoutAliases } from "./aliases.js";
import { type TrainingArgumentValues, trainingArgumentFields } from "./fields.js";
import { requireConsistent } from "./rules.js";

/** Options that a caller may give, old names included. */
export type TrainingArgumentsOptions = {
  readonly [F in keyof TrainingArgumentValues]?: TrainingArgumentValues[F] | undefined;
} & {
  readonly evaluationStrategy?: "no" | "steps" | "epoch";
  readonly warmupRatio?: number;
  readonly groupByLength?: boolean;
};

/**
 * All settings of a training run, with the names and defaults of transformers 5 in camelCase. Old names
 * (`evaluationStrategy`, `warmupRatio`, `groupByLength`) are accepted.
 *
 * `evalSteps`, `metricForBestModel` and `greaterIsBetter` hold what transformers derives where they are not given.
 * Options are checked at once.
 */
export type TrainingArguments = TrainingArgumentValues & {
  /** What the user should know about options that have no effect. */
  readonly warnings: readonly string[];
};

/**
 * @example new TrainingArguments({ outputDir: "out", learningRate: 5e-3, evalStrategy: "epoch" })
 * @throws GraftError `invalid-config` naming the option, its value and what it may be
 */
export const TrainingArguments = class {
  readonly warnings: readonly string[];

  constructor(options: TrainingArgumentsOptions = {}) {
    const values = checkedArguments(options);
    this.warnings = warningsAbout(values);
    Object.assign(this, values);
  }
} as unknown as new (
  options?: TrainingArgumentsOptions,
) => TrainingArguments;

/** Options with aliases resolved, defaults filled in and everything checked. */
function checkedArguments(options: Readonly<Record<string, unknown>>): TrainingArgumentValues {
  const values = withDerivedDefaults(
    checkedOptions(trainingArgumentFields, withoutAliases(options), "TrainingArguments"),
  );
  requireConsistent(values);
  return values;
}

function withDerivedDefaults(values: TrainingArgumentValues): TrainingArgumentValues {
  const choosesBest = values.loadBestModelAtEnd || values.saveStrategy === "best";
  const metricForBestModel = values.metricForBestModel ?? (choosesBest ? "loss" : null);
  const greaterIsBetter =
    values.greaterIsBetter ?? (metricForBestModel === null ? null : !metricForBestModel.endsWith("loss"));
  const evalSteps = values.evalSteps ?? (values.evalStrategy === "steps" ? values.loggingSteps : null);
  return { ...values, metricForBestModel, greaterIsBetter, evalSteps };
}

function warningsAbout(values: TrainingArgumentValues): string[] {
  const flags = (["fp16", "bf16"] as const).filter((flag) => values[flag]);
  if (flags.length === 0) return [];
  return [`${flags.join(" and ")} has no effect: training computes in float32, the result is the same or better`];
}
