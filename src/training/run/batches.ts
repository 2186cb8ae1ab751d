import type { BatchTensors } from "../../data/index.js";
import {
  type Batch,
  type BatchLimits,
  collateImages,
  collateText,
  collectRows,
  type Dataset,
  datasetOf,
  Tokenizer,
  validateBatch,
} from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { ModelInputs } from "../../models/index.js";
import type { TensorData } from "../../tensor-data.js";
import type { TrainableModel } from "../model.js";

/** Rows of a dataset made into a model's inputs: inputIds, attentionMask, pixelValues, labels, ... */
export type DataCollator<Row> = (rows: readonly Row[]) => BatchTensors;

/** Rows by number, a list, or anything that can be iterated (read into memory once). */
export type DatasetLike<Row> = Dataset<Row> | Iterable<Row> | AsyncIterable<Row>;

function isDataset<Row>(data: DatasetLike<Row>): data is Dataset<Row> {
  return "get" in data && typeof data.get === "function" && "length" in data;
}

/** @param name of the data in messages @throws GraftError `empty-dataset` */
export async function toDataset<Row>(data: DatasetLike<Row>, name: string): Promise<Dataset<Row>> {
  const dataset = isDataset(data) ? data : datasetOf(await collectRows(data, name));
  if (dataset.length > 0) return dataset;
  throw new GraftError(
    "empty-dataset",
    `${name} has no rows`,
    "Check the path, the split and the row range; a run needs at least one row.",
  );
}

/**
 * The collator for rows that the data readers make: prepared pictures, tokenised rows, or texts.
 * @param processingClass the tokenizer, for text
 * @throws GraftError `invalid-argument` for a text model without tokenizer
 */
export function defaultCollator<Row>(model: TrainableModel, processingClass: unknown): DataCollator<Row> {
  const { config, network } = model;
  const isRegression = config.problemType === "regression" || config.numLabels === 1;
  const problemType = isRegression ? "regression" : "single_label_classification";
  // What the rows are is the caller's choice; a row of another kind is reported by the first batch.
  if (network.inputs.pixelValues) return collateImages({ problemType }) as DataCollator<unknown> as DataCollator<Row>;
  if (processingClass instanceof Tokenizer) {
    return collateText(processingClass, { problemType }) as DataCollator<unknown> as DataCollator<Row>;
  }
  throw new GraftError(
    "invalid-argument",
    "the Trainer has neither a dataCollator nor a tokenizer to make batches with",
    "Pass processingClass: tokenizer, or a dataCollator.",
  );
}

/** What a model accepts, for `validateBatch`. */
function limitsOf({ network, config }: TrainableModel): BatchLimits {
  const ids = network.inputs.inputIds;
  return {
    numLabels: config.numLabels,
    ...(ids?.below && { vocabSize: ids.below.limit }),
    ...(ids?.longest && { maxSequenceLength: ids.longest.limit }),
  };
}

/**
 * A batch as the model takes it.
 * @throws GraftError `invalid-label`, `invalid-token` or `shape-mismatch` naming the dataset's rows
 */
export function checkedInputs(model: TrainableModel, batch: Batch): ModelInputs {
  const { numLabels: _, ...withoutLabels } = limitsOf(model);
  const labels = batch.tensors.labels;
  const isClasses = labels !== undefined && labels.dtype !== "float32" && model.config.problemType !== "regression";
  const hasClassPerRow = isClasses && labels.shape.length === 1 && model.config.numLabels > 1;
  validateBatch(batch, hasClassPerRow ? limitsOf(model) : withoutLabels);
  return batch.tensors as ModelInputs;
}

/** Class of a row that does not count. */
const IGNORED_LABEL = -100;

/** How many labels of a batch count in its loss: transformers' `num_items_in_batch`. */
export function countItems(labels: TensorData | undefined): number {
  if (labels === undefined) return 0;
  if (labels.dtype === "float32") return labels.data.length;
  let items = 0;
  for (let i = 0; i < labels.data.length; i++) if (Number(labels.data[i]) !== IGNORED_LABEL) items++;
  return items;
}
