import type { TrainingArguments } from "../arguments/index.js";
import type { TrainerControl } from "../callbacks/index.js";
import type { CallbackState, TrainerState } from "../checkpoints/state.js";

/** What an abort left undone after the last update, as transformers writes its TrainerControl. */
export function pendingState(
  { shouldTrainingStop, shouldEvaluate, shouldSave }: TrainerControl,
  { globalStep, maxSteps }: TrainerState,
): CallbackState {
  const pending = {
    // The run's length is no one's wish: resumed with more updates, it goes on.
    should_training_stop: shouldTrainingStop && globalStep < maxSteps,
    should_epoch_stop: false,
    should_save: shouldSave,
    should_evaluate: shouldEvaluate,
    should_log: false,
  };
  return { args: pending, attributes: {} };
}

/** Asks a resumed run for what the interrupted one left undone, as far as its own arguments still want it. */
export function takeUpPending(
  state: CallbackState | undefined,
  args: TrainingArguments,
  control: TrainerControl,
): void {
  if (state === undefined) return;
  const { should_training_stop: stop, should_evaluate: evaluate, should_save: save } = state.args;
  control.shouldTrainingStop = stop === true;
  control.shouldEvaluate = evaluate === true && args.evalStrategy !== "no";
  control.shouldSave = save === true && args.saveStrategy !== "no";
}
