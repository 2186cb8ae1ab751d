import { changedArguments } from "../checkpoints/checkpoint.js";
import { restoreWeights } from "../model.js";
import { planRun, type RunPlan, resolvedInterval } from "./plan.js";
import { takeUpCut } from "./run-cut.js";
import { takeUpPrecision } from "./run-precision.js";
import type { RunParts, RunSetup } from "./setup.js";

/**
 * The length of a run, and its state before the first update: that of the checkpoint it goes on from, or a fresh one.
 * @throws GraftError `empty-dataset`
 */
export function startState<Row>({ args, dataset, state, resume, warn }: RunSetup<Row>): RunPlan {
  const { perDeviceTrainBatchSize: batchSize, dataloaderDropLast } = args;
  const batches = dataset.length / batchSize;
  const plan = planRun(args, dataset.length, dataloaderDropLast ? Math.floor(batches) : Math.ceil(batches));
  const { maxSteps, numTrainEpochs } = plan;
  if (resume && resume.state.maxSteps !== maxSteps && changedArguments(resume, args).length === 0) {
    warn(
      `${resume.folder} is of a run of ${resume.state.maxSteps} updates, this one has ${maxSteps}: the training data has another length, so the run will take another course`,
    );
  }
  Object.assign(state, {
    ...resume?.state,
    maxSteps,
    numTrainEpochs,
    trainBatchSize: batchSize,
    loggingSteps: resolvedInterval(args.loggingSteps, maxSteps),
    evalSteps: resolvedInterval(args.evalSteps ?? args.loggingSteps, maxSteps),
    saveSteps: resolvedInterval(args.saveSteps, maxSteps),
  });
  return plan;
}

/** Goes back to a checkpoint, where there is one to resume from. */
export async function takeUp<Row>({ setup, session, keeper, precision, cut, record }: RunParts<Row>): Promise<void> {
  const { resume, model, handler, state } = setup;
  if (resume === undefined) return;
  await restoreWeights(model, resume.folder);
  await session.loadState(resume.optimizer);
  await keeper.takeUp(resume);
  await takeUpPrecision(precision, setup.args, resume.folder);
  await takeUpCut(cut, setup.args, resume.folder);
  handler.restore(state.statefulCallbacks);
  record.restore(state.statefulCallbacks.RunRecord, state.globalStep);
}
