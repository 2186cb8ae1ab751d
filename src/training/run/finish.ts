import { restoreWeights } from "../model.js";
import { saveCheckpoint } from "./due.js";
import { isAborted, isInterrupted, type RunParts, type RunSetup, type StopReason, type TrainOutput } from "./setup.js";

/** Ends a run: the weights are the model's, what it came to is logged, and the best checkpoint is loaded where that is asked for. */
export async function finish<Row>(run: RunParts<Row>): Promise<TrainOutput> {
  const { setup, session, record, keeper } = run;
  const { args, state, handler, log } = setup;
  const stopReason = reasonOf(setup);
  if (stopReason === "aborted" && state.globalStep > 0) await saveCheckpoint(run);
  await session.sync();
  const summary = record.summary(state.globalStep);
  await log(summary);
  if (stopReason !== "aborted") {
    if (args.loadBestModelAtEnd) await loadBest(setup);
    await keeper.keepBestAlone();
  }
  const metrics = { ...summary, epoch: state.epoch };
  await handler.call("onTrainEnd", setup, { metrics });
  return {
    globalStep: state.globalStep,
    trainingLoss: record.meanLoss(state.globalStep),
    metrics,
    stopReason,
    checkpoint: keeper.last,
  };
}

function reasonOf<Row>(setup: RunSetup<Row>): StopReason {
  const { state, control } = setup;
  if (isInterrupted(setup)) return "aborted";
  if (state.globalStep >= state.maxSteps) return "completed";
  return isAborted(setup) && !control.shouldTrainingStop ? "aborted" : "callback";
}

async function loadBest<Row>({ args, model, state, warn }: RunSetup<Row>): Promise<void> {
  if (state.bestModelCheckpoint !== null) return restoreWeights(model, state.bestModelCheckpoint);
  warn(
    `no checkpoint is the best one by ${args.metricForBestModel} (${state.bestMetric === null ? "no evaluation gave a number for it" : "it is no longer there"}): the model keeps the weights of the last update`,
  );
}
