import { platform } from "#platform";
import { type DataLoader, dataLoader } from "../../data/index.js";
import { later } from "../../turn.js";
import {
  decideAfterEpoch,
  decideAfterStep,
  type Progress,
  ProgressMeter,
  quantizeProgress,
} from "../callbacks/index.js";
import { CheckpointKeeper } from "../checkpoints/checkpoint-keeper.js";
import { requireWritable } from "../writable.js";
import { doWhatIsDue } from "./due.js";
import { finish } from "./finish.js";
import { takeUpPending } from "./pending.js";
import { runCut } from "./run-cut.js";
import { runPrecision } from "./run-precision.js";
import { RunRecord } from "./run-record.js";
import type { RunParts, RunSetup, TrainOutput } from "./setup.js";
import { isAborted } from "./setup.js";
import { startState, takeUp } from "./start.js";
import { makeUpdate, openSession, updateBatches } from "./updates.js";

/**
 * One call of `train`: epochs, updates, and what is due between them. What the run holds in the worker is freed, whatever
 * its end.
 * @throws what stops the run, after callbacks were told; the model then holds the weights of the last good update
 */
export async function trainingLoop<Row>(setup: RunSetup<Row>): Promise<TrainOutput> {
  const { args, control, state, handler } = setup;
  const plan = startState(setup);
  const within = new ProgressWithin(setup);
  const precision = runPrecision(args, setup, (progress) => within.tell(quantizeProgress(progress, state.epoch)));
  const cut = runCut(args, setup);
  const session = openSession(setup, precision, cut);
  const record = new RunRecord();
  const run: RunParts<Row> = {
    setup,
    plan,
    session,
    record,
    keeper: new CheckpointKeeper(args, state),
    precision,
    cut,
  };
  const meter = new ProgressMeter("train", plan.maxSteps, state.globalStep);
  let hasBegun = false;
  try {
    await takeUp(run);
    if (args.saveStrategy !== "no") await requireWritable(args.outputDir);
    hasBegun = true;
    await handler.call("onTrainBegin", setup, {});
    if (setup.resume) {
      // What the interrupted run owed to its last update comes first.
      takeUpPending(state.statefulCallbacks.TrainerControl, args, control);
      await doWhatIsDue(run);
    }
    const first = Math.floor(state.globalStep / plan.updatesPerEpoch);
    let doneBatches = (state.globalStep % plan.updatesPerEpoch) * args.gradientAccumulationSteps;
    epochs: for (let epoch = first; epoch < plan.numTrainEpochs; epoch++, doneBatches = 0) {
      if (control.shouldTrainingStop || isAborted(setup) || state.globalStep >= plan.maxSteps) break;
      control.shouldEpochStop = false;
      await handler.call("onEpochBegin", setup, {});
      const loader = epochLoader(setup, epoch, doneBatches);
      // Waiting for its data is part of an update's time.
      meter.begin();
      let begun = platform.now();
      for await (const batches of updateBatches(loader, args.gradientAccumulationSteps)) {
        Object.assign(control, { shouldLog: false, shouldEvaluate: false, shouldSave: false });
        await handler.call("onStepBegin", setup, {});
        const update = await makeUpdate(run, batches);
        await within.ended();
        record.add(update, platform.now() - begun);
        doneBatches += batches.length;
        state.globalStep++;
        state.epoch = epoch + doneBatches / plan.batchesPerEpoch;
        decideAfterStep(args, state, control);
        await handler.call("onStepEnd", setup, {});
        const { loss, gradNorm, learningRate } = update;
        const progress = meter.end(update.rows, { epoch: state.epoch, loss, gradNorm, learningRate });
        await handler.call("onProgress", setup, { progress });
        await doWhatIsDue(run);
        if (control.shouldTrainingStop || control.shouldEpochStop || doneBatches >= plan.batchesPerEpoch) break;
        // An epoch that an abort cuts off has no end.
        if (isAborted(setup)) break epochs;
        meter.begin();
        begun = platform.now();
      }
      await handler.call("onEpochEnd", setup, {});
      decideAfterEpoch(args, control);
      await doWhatIsDue(run);
    }
    return await finish(run);
  } catch (error) {
    if (hasBegun) await handler.tellError(setup, error);
    throw error;
  } finally {
    await session.dispose();
  }
}

/** The batches of an epoch, those that are done already left out. */
function epochLoader<Row>({ args, dataset, collate }: RunSetup<Row>, epoch: number, doneBatches: number): DataLoader {
  return dataLoader({
    dataset,
    collate,
    batchSize: args.perDeviceTrainBatchSize,
    sampler: args.trainSamplingStrategy,
    dropLast: args.dataloaderDropLast,
    seed: args.seed,
    samplerSeed: args.dataSeed ?? args.seed,
    epoch,
    skipBatches: doneBatches,
    samplingBatchSize: args.perDeviceTrainBatchSize * args.gradientAccumulationSteps,
    prefetch: args.gradientAccumulationSteps + 1,
  });
}

/** Tells callbacks what happens within an update: one after the other, and the update's end waits for them. */
class ProgressWithin<Row> {
  private told: Promise<void> = Promise.resolve();

  constructor(private readonly setup: RunSetup<Row>) {}

  tell(progress: Progress): void {
    // A failure reaches the run after the update.
    this.told = later(this.told.then(() => this.setup.handler.call("onProgress", this.setup, { progress })));
  }

  ended(): Promise<void> {
    return this.told;
  }
}
