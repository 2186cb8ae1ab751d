import { GraftError } from "../../errors.js";
import type { TrainingArgumentName, TrainingArgumentValues } from "./fields.js";

interface Rule {
  /** The option that the message is about. */
  readonly option: TrainingArgumentName;
  /** Whether the options break it. */
  readonly broken: (values: TrainingArgumentValues) => boolean;
  readonly message: (values: TrainingArgumentValues) => string;
  readonly hint: string;
}

/** What must hold between options. */
const rules: readonly Rule[] = [
  {
    option: "maxSteps",
    broken: ({ maxSteps }) => maxSteps === 0,
    message: () => "maxSteps is 0: nothing would be trained",
    hint: "Give the number of updates, or leave maxSteps at -1 to train for numTrainEpochs.",
  },
  {
    option: "loadBestModelAtEnd",
    broken: ({ loadBestModelAtEnd, evalStrategy }) => loadBestModelAtEnd && evalStrategy === "no",
    message: () => 'loadBestModelAtEnd needs evaluations, but evalStrategy is "no"',
    hint: 'Set evalStrategy to "epoch" or "steps".',
  },
  {
    option: "saveStrategy",
    broken: ({ saveStrategy, evalStrategy }) => saveStrategy === "best" && evalStrategy === "no",
    message: () => 'saveStrategy "best" needs evaluations, but evalStrategy is "no"',
    hint: 'Set evalStrategy to "epoch" or "steps".',
  },
  {
    option: "loadBestModelAtEnd",
    broken: ({ loadBestModelAtEnd, saveStrategy, evalStrategy }) =>
      loadBestModelAtEnd && saveStrategy !== "best" && saveStrategy !== evalStrategy,
    message: ({ saveStrategy, evalStrategy }) =>
      `loadBestModelAtEnd needs a checkpoint of every evaluation, but saveStrategy is "${saveStrategy}" and evalStrategy "${evalStrategy}"`,
    hint: "Give both the same value.",
  },
  {
    option: "loadBestModelAtEnd",
    broken: ({ loadBestModelAtEnd, saveStrategy, saveSteps, evalSteps }) =>
      loadBestModelAtEnd && saveStrategy === "steps" && !isMultiple(saveSteps, evalSteps),
    message: ({ saveSteps, evalSteps }) =>
      `loadBestModelAtEnd needs saveSteps to be a multiple of evalSteps; they are ${saveSteps} and ${evalSteps}`,
    hint: "Save at steps at which an evaluation is made.",
  },
  {
    option: "microBatchSize",
    broken: ({ microBatchSize, autoMicroBatch, maxMemory }) =>
      microBatchSize !== null && (autoMicroBatch || maxMemory !== null),
    message: ({ microBatchSize }) =>
      `microBatchSize is ${microBatchSize}, and autoMicroBatch or maxMemory would choose it`,
    hint: "Leave one of them out.",
  },
  {
    option: "loggingSteps",
    broken: ({ loggingSteps }) => loggingSteps > 1 && !Number.isInteger(loggingSteps),
    message: ({ loggingSteps }) => `loggingSteps is ${loggingSteps}`,
    hint: "Above 1 it counts updates: give a whole number.",
  },
  {
    option: "evalSteps",
    broken: ({ evalSteps }) => evalSteps !== null && evalSteps > 1 && !Number.isInteger(evalSteps),
    message: ({ evalSteps }) => `evalSteps is ${evalSteps}`,
    hint: "Above 1 it counts updates: give a whole number.",
  },
  {
    option: "saveSteps",
    broken: ({ saveSteps }) => saveSteps > 1 && !Number.isInteger(saveSteps),
    message: ({ saveSteps }) => `saveSteps is ${saveSteps}`,
    hint: "Above 1 it counts updates: give a whole number.",
  },
  {
    option: "warmupSteps",
    broken: ({ warmupSteps }) => warmupSteps > 1 && !Number.isInteger(warmupSteps),
    message: ({ warmupSteps }) => `warmupSteps is ${warmupSteps}`,
    hint: "Above 1 it counts updates: give a whole number.",
  },
];

function isMultiple(saveSteps: number, evalSteps: number | null): boolean {
  if (evalSteps === null) return true;
  const ratio = saveSteps / evalSteps;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9 && ratio >= 1;
}

/** @throws GraftError `invalid-config` for options that contradict each other */
export function requireConsistent(values: TrainingArgumentValues): void {
  for (const { option, broken, message, hint } of rules) {
    if (!broken(values)) continue;
    throw new GraftError("invalid-config", `TrainingArguments: ${message(values)}`, hint, { option });
  }
}
