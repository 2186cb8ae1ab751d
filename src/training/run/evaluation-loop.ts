import { platform } from "#platform";
import { type Dataset, dataLoader } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import { lossInputs } from "../../models/index.js";
import type { TensorData } from "../../tensor-data.js";
import { type Progress, ProgressMeter } from "../callbacks/index.js";
import type { TrainableModel } from "../model.js";
import { type DataCollator, itemsOf } from "./batches.js";
import { concatRows } from "./concat-rows.js";
import { tokenAnswers } from "./token-answers.js";

/** What a model said about a dataset, row by row in its order. */
export interface EvalPrediction {
  /**
   * Logits, float32 [rows, numLabels]; of a token classifier [rows, sequence, numLabels], where rows of shorter batches
   * are filled up with -100, as transformers does it; of a language model the ids that it predicts, float32 [labelled
   * tokens], since logits over a vocabulary are too many to be kept.
   */
  readonly predictions: TensorData<"float32">;
  /**
   * int32 [rows] (float32 for regression; [rows, numLabels] for several labels; int32 [rows, sequence] for tokens, -100
   * where none counts; int32 [labelled tokens] of a language model); undefined for rows without labels.
   */
  readonly labelIds: TensorData | undefined;
  /** Mean over all rows (tokens) with a label. */
  readonly loss: number | undefined;
}

export interface EvaluationOutput extends EvalPrediction {
  readonly rows: number;
  readonly seconds: number;
}

export interface EvaluationRequest<Row> {
  readonly model: TrainableModel;
  readonly dataset: Dataset<Row>;
  readonly collate: DataCollator<Row>;
  readonly batchSize: number;
  readonly seed: number;
  readonly labelSmoothingFactor: number;
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
    const { network } = model;
    const prepared = lossInputs(network, model.prepareInputs(batch.tensors, batch.indices), request);
    const outputs = await model.runner.run(prepared);
    const predicted = outputs.logits as TensorData<"float32"> | undefined;
    if (predicted === undefined) {
      throw new GraftError(
        "invalid-argument",
        `${model.network.className} has no logits to evaluate`,
        "Use a model with a classification head.",
      );
    }
    const given = prepared.feeds.labels;
    const told = tokenAnswers(network, predicted, prepared);
    logits.push(told?.predictions ?? predicted);
    if (given !== undefined) {
      labels.push(told?.labels ?? given);
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
