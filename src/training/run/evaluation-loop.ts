import { platform } from "#platform";
import { type Dataset, dataLoader } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { TensorData } from "../../tensor-data.js";
import { type Progress, ProgressMeter } from "../callbacks/index.js";
import type { TrainableModel } from "../model.js";
import { type DataCollator, itemsOf } from "./batches.js";
import { concatRows } from "./concat-rows.js";

/** What a model said about a dataset, row by row in its order. */
export interface EvalPrediction {
  /**
   * Logits, float32 [rows, numLabels]; of a token classifier [rows, sequence, numLabels], where rows of shorter batches
   * are filled up with -100, as transformers does it.
   */
  readonly predictions: TensorData<"float32">;
  /**
   * int32 [rows] (float32 for regression; [rows, numLabels] for several labels; int32 [rows, sequence] for tokens, -100
   * where none counts); undefined for rows without labels.
   */
  readonly labelIds: TensorData | undefined;
}

export interface EvaluationOutput extends EvalPrediction {
  /** Mean over all rows with a label. */
  readonly loss: number | undefined;
  readonly rows: number;
  readonly seconds: number;
}

export interface EvaluationRequest<Row> {
  readonly model: TrainableModel;
  readonly dataset: Dataset<Row>;
  readonly collate: DataCollator<Row>;
  readonly batchSize: number;
  readonly seed: number;
  readonly phase: "evaluate" | "predict";
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (progress: Progress) => Promise<void>;
}

/**
 * Runs a dataset through a model in evaluation mode, in order.
 * @throws GraftError `aborted` when the signal fires, and what loading or checking a batch throws
 */
export async function evaluationLoop<Row>(request: EvaluationRequest<Row>): Promise<EvaluationOutput> {
  const { model, dataset, collate, batchSize, seed, phase, signal, onProgress } = request;
  const loader = dataLoader({ dataset, batchSize, collate, seed });
  const start = platform.now();
  const meter = new ProgressMeter(phase, loader.length);
  const logits: TensorData<"float32">[] = [];
  const labels: TensorData[] = [];
  let lossSum = 0;
  let items = 0;
  meter.begin();
  for await (const batch of loader) {
    if (signal?.aborted) throw new GraftError("aborted", "the evaluation was stopped", "Run it again for its result.");
    const prepared = model.prepareInputs(batch.tensors, batch.indices);
    const outputs = await model.runner.run(prepared);
    const predicted = outputs.logits as TensorData<"float32"> | undefined;
    if (predicted === undefined) {
      throw new GraftError(
        "invalid-argument",
        `${model.network.className} has no logits to evaluate`,
        "Use a model with a classification head.",
      );
    }
    logits.push(predicted);
    const given = prepared.feeds.labels;
    if (given !== undefined) {
      labels.push(given);
      const counted = itemsOf(model, given);
      if (counted > 0) lossSum += Number(outputs.loss?.data[0]) * counted;
      items += counted;
    }
    await onProgress(meter.end(batch.indices.length, { epoch: 0 }));
    meter.begin();
  }
  return {
    predictions: concatRows(logits),
    labelIds: labels.length === 0 ? undefined : concatRows(labels),
    loss: items === 0 ? undefined : lossSum / items,
    rows: dataset.length,
    seconds: (platform.now() - start) / 1000,
  };
}
