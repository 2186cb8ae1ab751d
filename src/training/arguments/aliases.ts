import { GraftError } from "../../errors.js";
import type { TrainingArgumentName } from "./fields.js";

interface Alias {
  readonly to: TrainingArgumentName;
  /** The new option's value; undefined where the old value is the default anyway. */
  readonly convert: (value: unknown) => unknown;
}

const same = (value: unknown): unknown => value;

/** Option names of older transformers and what they are called now. */
export const argumentAliases: Readonly<Record<string, Alias>> = {
  evaluationStrategy: { to: "evalStrategy", convert: same },
  warmupRatio: { to: "warmupSteps", convert: (value) => (value === 0 ? undefined : value) },
  groupByLength: {
    to: "trainSamplingStrategy",
    convert: (value) => (value === true ? "group_by_length" : value === false ? undefined : value),
  },
  perGpuTrainBatchSize: { to: "perDeviceTrainBatchSize", convert: same },
  perGpuEvalBatchSize: { to: "perDeviceEvalBatchSize", convert: same },
};

/**
 * Options with old names replaced by today's.
 * @throws GraftError `invalid-config` where both names are given
 */
export function withoutAliases(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    const alias = Object.hasOwn(argumentAliases, name) ? argumentAliases[name] : undefined;
    if (value === undefined) continue;
    if (alias === undefined) {
      result[name] = value;
      continue;
    }
    const converted = alias.convert(value);
    if (converted === undefined) continue;
    if (options[alias.to] !== undefined) {
      throw new GraftError(
        "invalid-config",
        `TrainingArguments has both ${name} and ${alias.to}, which mean the same`,
        `Keep ${alias.to}: ${name} is its old name.`,
        { option: alias.to },
      );
    }
    result[alias.to] = converted;
  }
  return result;
}
