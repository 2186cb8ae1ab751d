import type { BatchTensors } from "../../data/index.js";
import {
  collateImages,
  collectRows,
  DataCollatorForLanguageModeling,
  DataCollatorForTokenClassification,
  DataCollatorWithPadding,
  type Dataset,
  datasetOf,
  Tokenizer,
} from "../../data/index.js";
import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
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
  const { inputs, head } = model.network;
  const rule = head?.labels();
  const problemType = rule?.dtype === "float32" ? "regression" : "single_label_classification";
  // What the rows are is the caller's choice; a row of another kind is reported by the first batch.
  if (inputs.pixelValues) return collateImages({ problemType }) as DataCollator<unknown> as DataCollator<Row>;
  if (processingClass instanceof Tokenizer) {
    if (head?.places) {
      return DataCollatorForLanguageModeling(processingClass) as DataCollator<never> as DataCollator<Row>;
    }
    if (rule?.shape.includes("sequence")) {
      const labelPadTokenId = rule.padding ?? ignoredLabel;
      return DataCollatorForTokenClassification(processingClass, {
        labelPadTokenId,
      }) as DataCollator<never> as DataCollator<Row>;
    }
    return DataCollatorWithPadding(processingClass, { problemType }) as DataCollator<unknown> as DataCollator<Row>;
  }
  throw new GraftError(
    "invalid-argument",
    "the Trainer has neither a dataCollator nor a tokenizer to make batches with",
    "Pass processingClass: tokenizer, or a dataCollator.",
  );
}

/** How many labels of a batch count in its loss; 0 without labels. */
export function itemsOf({ network }: TrainableModel, labels: TensorData | undefined): number {
  return labels === undefined ? 0 : (network.head?.items(labels) ?? 0);
}
