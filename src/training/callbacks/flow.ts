import type { TrainingArguments } from "../arguments/index.js";
import type { TrainerState } from "../checkpoints/state.js";
import type { TrainerControl } from "./types.js";

/** Sets what is due after an update, by the strategies of the arguments; the same rules as transformers'. */
export function decideAfterStep(args: TrainingArguments, state: TrainerState, control: TrainerControl): void {
  const { globalStep } = state;
  const isLast = globalStep >= state.maxSteps;
  const isDue = (interval: number): boolean => globalStep % interval === 0;
  if (args.loggingFirstStep && globalStep === 1) control.shouldLog = true;
  if (args.loggingStrategy === "steps" && isDue(state.loggingSteps)) control.shouldLog = true;
  // The last update is evaluated and saved whatever the interval, so that a run does not end between two.
  if (args.evalStrategy === "steps" && (isDue(state.evalSteps) || isLast)) control.shouldEvaluate = true;
  if (args.saveStrategy === "steps" && (isDue(state.saveSteps) || isLast)) control.shouldSave = true;
  if (isLast) control.shouldTrainingStop = true;
}

/** Sets what is due at the end of an epoch. */
export function decideAfterEpoch(args: TrainingArguments, control: TrainerControl): void {
  if (args.loggingStrategy === "epoch") control.shouldLog = true;
  if (args.evalStrategy === "epoch") control.shouldEvaluate = true;
  if (args.saveStrategy === "epoch") control.shouldSave = true;
}
