import { GraftError } from "../../errors.js";
import type { LogEntry } from "../checkpoints/state.js";
import { noteBest } from "./best-model.js";
import { pendingState } from "./pending.js";
import { isAborted, isInterrupted, type RunParts, type RunSetup } from "./setup.js";

/** Logs, evaluates and saves what is asked for, in this order; what an abort keeps from being done stays asked for. */
export async function doWhatIsDue<Row>(run: RunParts<Row>): Promise<void> {
  const { args, control, state } = run.setup;
  if (control.shouldLog) await logUpdates(run);
  if (control.shouldEvaluate && !isAborted(run.setup)) {
    control.shouldEvaluate = false;
    const metrics = await evaluated(run.setup);
    if (metrics === undefined) control.shouldEvaluate = true;
    else {
      const isBest = noteBest(args, state, metrics);
      if (args.saveStrategy === "best") control.shouldSave = isBest;
    }
  }
  if (control.shouldSave && !isInterrupted(run.setup)) {
    control.shouldSave = false;
    await saveCheckpoint(run);
  }
}

/** Logs the updates since the last log, where there are any. */
async function logUpdates<Row>({ setup, record }: RunParts<Row>): Promise<void> {
  const { control, state, log } = setup;
  if (record.last === undefined || !record.isLogDue(state.globalStep)) return;
  control.shouldLog = false;
  const { gradNorm, learningRate } = record.last;
  await log({
    loss: record.takeMeanLoss(state.globalStep),
    grad_norm: gradNorm,
    learning_rate: learningRate,
  });
}

/** @returns undefined when the run was aborted meanwhile */
async function evaluated<Row>(setup: RunSetup<Row>): Promise<LogEntry | undefined> {
  try {
    return await setup.evaluate();
  } catch (error) {
    if (isAborted(setup) && error instanceof GraftError && error.code === "aborted") return undefined;
    throw error;
  }
}

/** Writes a checkpoint of the last update, with what an abort left undone after it. */
export async function saveCheckpoint<Row>({
  setup,
  session,
  record,
  keeper,
  precision,
  cut,
}: RunParts<Row>): Promise<void> {
  const { state, handler, saved, control } = setup;
  const isPending = isInterrupted(setup);
  const checkpoint = await keeper.save(async () => {
    state.statefulCallbacks = {
      ...handler.states(),
      RunRecord: record.state(),
      ...(isPending && { TrainerControl: pendingState(control, state) }),
    };
    return { saved, optimizer: await session.state(), precision: precision.report, cut: cut.report };
  }, isPending);
  if (checkpoint !== undefined) await handler.call("onSave", setup, { checkpoint });
}
