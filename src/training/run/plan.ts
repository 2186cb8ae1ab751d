import { GraftError } from "../../errors.js";
import type { TrainingArguments } from "../arguments/index.js";

/** How long a run is. */
export interface RunPlan {
  readonly batchesPerEpoch: number;
  readonly updatesPerEpoch: number;
  /** Updates in all. */
  readonly maxSteps: number;
  /** Epochs that are begun; the last may end early. */
  readonly numTrainEpochs: number;
}

/**
 * The length of a run as transformers computes it: updates per epoch rounded up, the last update of an epoch taking the
 * batches that are left.
 * @param rows of the training data
 * @param batchesPerEpoch batches that the loader gives in one pass
 * @throws GraftError `empty-dataset` where a pass has no batch
 */
export function planRun(args: TrainingArguments, rows: number, batchesPerEpoch: number): RunPlan {
  if (batchesPerEpoch === 0) {
    throw new GraftError(
      "empty-dataset",
      `the training data has ${rows} rows, which make no batch of ${args.perDeviceTrainBatchSize}`,
      rows === 0
        ? "Give at least one training row."
        : "Lower perDeviceTrainBatchSize, or set dataloaderDropLast: false.",
    );
  }
  const updatesPerEpoch = Math.ceil(batchesPerEpoch / args.gradientAccumulationSteps);
  if (args.maxSteps > 0) {
    return {
      batchesPerEpoch,
      updatesPerEpoch,
      maxSteps: args.maxSteps,
      numTrainEpochs: Math.ceil(args.maxSteps / updatesPerEpoch),
    };
  }
  return {
    batchesPerEpoch,
    updatesPerEpoch,
    maxSteps: Math.ceil(args.numTrainEpochs * updatesPerEpoch),
    numTrainEpochs: Math.ceil(args.numTrainEpochs),
  };
}

/** An interval in updates; below 1 it is a share of the run, rounded up. */
export function resolvedInterval(interval: number, maxSteps: number): number {
  return interval < 1 ? Math.ceil(maxSteps * interval) : interval;
}
