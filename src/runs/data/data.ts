import { platform } from "#platform";
import { toGrey, toRgb } from "../../data/images/raw-image.js";
import {
  type BatchTensors,
  centerCrop,
  collateImages,
  collateText,
  compose,
  type Dataset,
  type ImageExample,
  ImageProcessor,
  imageDataset,
  type Label2Id,
  normalize,
  type PixelTensor,
  type RawImage,
  randomHorizontalFlip,
  randomResizedCrop,
  readImageFolder,
  readTextDataset,
  resize,
  type TextExample,
  Tokenizer,
  type Transform,
  tokenizeDataset,
  toTensor,
} from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { Network } from "../../models/index.js";
import type { Run } from "../definition/run.js";
import type { Task } from "../models/settings.js";

/** Rows of a file or folder, before they are made into numbers. */
export interface ReadData {
  readonly task: Task;
  readonly path: string;
  readonly examples: readonly TextExample[] | readonly ImageExample[];
  readonly label2id: Label2Id;
  /** Class names by id; empty for regression. */
  readonly labels: readonly string[];
}

export interface ReadDataOptions {
  readonly task: Task;
  readonly keys: Run["data"];
  readonly limit?: number | undefined;
  readonly label2id?: Label2Id | undefined;
  readonly isRegression?: boolean;
}

/** The reader's options that a run's data keys say. */
export function textOptions(keys: Run["data"]) {
  const { format, delimiter, quoting, header, text_column, text_pair_column, label_column } = keys;
  return {
    ...(format !== undefined && format !== "image-folder" && { format }),
    ...(delimiter !== undefined && { delimiter: delimiter === "\\t" ? "\t" : delimiter }),
    ...(quoting !== undefined && { quoting }),
    ...(header !== undefined && { header }),
    ...(text_column !== undefined && { textColumn: text_column }),
    ...(text_pair_column !== undefined && { textPairColumn: text_pair_column }),
    ...(label_column !== undefined && { labelColumn: label_column }),
  };
}

/**
 * Reads labelled data of a task.
 * @throws GraftError `file-not-found`, `invalid-csv`, `invalid-json`, `invalid-label`, `empty-dataset`, `invalid-argument`
 */
export async function readData(path: string, options: ReadDataOptions): Promise<ReadData> {
  const { task, keys, limit, label2id, isRegression } = options;
  const range = limit === undefined ? {} : { end: limit };
  const known = label2id === undefined ? {} : { label2id };
  if (task === "image-classification") {
    if (keys.format !== undefined && keys.format !== "image-folder") {
      throw new GraftError(
        "invalid-argument",
        `format is ${keys.format}, but the model reads pictures`,
        "Give a folder with one folder of pictures for each class (format: image-folder).",
      );
    }
    return { task, path, ...(await readImageFolder(path, { ...range, ...known })) };
  }
  if (keys.format === "image-folder") {
    throw new GraftError(
      "invalid-argument",
      "format is image-folder, but the model reads texts",
      "Use csv, tsv or jsonl.",
    );
  }
  if (await platform.isDirectory(path)) {
    throw new GraftError(
      "file-access",
      `${path} is a folder, but the model reads texts`,
      "Name a CSV, TSV or JSON-lines file.",
    );
  }
  const data = await readTextDataset(path, {
    ...textOptions(keys),
    ...range,
    ...known,
    ...(isRegression && { problemType: "regression" }),
  });
  return { task, path, ...data };
}

/** Makes rows into a model's inputs. */
export interface Processing {
  dataset(examples: ReadData["examples"], phase: "train" | "evaluate"): Dataset<unknown>;
  readonly collate: (rows: readonly unknown[]) => BatchTensors;
}

export interface ProcessingOptions {
  readonly task: Task;
  /** Folder of the tokenizer or image processor. */
  readonly folder: string;
  readonly network: Network;
  readonly maxLength?: number | undefined;
  readonly transforms?: Run["data"]["transforms"];
  readonly isRegression?: boolean;
}

/** The walkthrough's augmentations, by phase. */
function augmentation(processor: ImageProcessor, phase: "train" | "evaluate"): Transform<RawImage, PixelTensor> {
  const channels: Transform<RawImage, RawImage> = (image) => (processor.channels === 1 ? toGrey(image) : toRgb(image));
  const { size } = processor;
  const crop =
    phase === "train"
      ? compose(channels, randomResizedCrop(size), randomHorizontalFlip())
      : compose(channels, resize(size.height), centerCrop(size));
  return compose(crop, toTensor(), normalize(processor.imageMean, processor.imageStd));
}

async function tokenizerOf(folder: string, network: Network): Promise<Tokenizer> {
  const tokenizer = await Tokenizer.fromFolder(folder);
  const modelInputNames = tokenizer.modelInputNames.filter((name) => network.inputs[name] !== undefined);
  return modelInputNames.length === tokenizer.modelInputNames.length
    ? tokenizer
    : Tokenizer.fromFolder(folder, { modelInputNames });
}

/** @throws GraftError as `Tokenizer.fromFolder` and `ImageProcessor.fromPretrained` */
export async function processingOf(options: ProcessingOptions): Promise<Processing> {
  const { task, folder, network, transforms, isRegression } = options;
  const problemType = isRegression ? "regression" : "single_label_classification";
  // Which kind of rows there are follows from the task, which both sides of each pair below share.
  if (task === "image-classification") {
    const processor = await ImageProcessor.fromPretrained(folder);
    return {
      dataset: (examples, phase) =>
        imageDataset(
          examples as readonly ImageExample[],
          transforms === "augment" ? augmentation(processor, phase) : processor,
        ),
      collate: collateImages({ problemType }) as Processing["collate"],
    };
  }
  const tokenizer = await tokenizerOf(folder, network);
  const limit = network.inputs.inputIds?.longest?.limit ?? Number.POSITIVE_INFINITY;
  const maxLength = options.maxLength ?? Math.min(tokenizer.modelMaxLength ?? Number.POSITIVE_INFINITY, limit);
  const cut = Number.isFinite(maxLength) ? { maxLength } : {};
  return {
    dataset: (examples) => tokenizeDataset(examples as readonly TextExample[], tokenizer, cut),
    collate: collateText(tokenizer, { problemType }) as Processing["collate"],
  };
}
