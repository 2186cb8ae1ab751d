import type { BatchTensors, ColumnChoice, Dataset, Label2Id, LabelsAre, TooLong } from "../data/index.js";
import type { HubOptions, ModelFileName } from "../hub/index.js";
import type { HeadName, ModelConfig, Network } from "../models/index.js";
import type { ProblemType } from "../problem-type.js";
import type { MetricName } from "../training/index.js";

/** How a task's data files are read; which of the options count depends on the task and the format. */
export interface DataOptions {
  /** One of the task's `formats`. Default: by the file's extension. */
  readonly format?: string;
  readonly delimiter?: string;
  readonly quoting?: "none" | "standard";
  readonly header?: boolean;
  readonly textColumn?: ColumnChoice;
  readonly textPairColumn?: string | number;
  readonly labelColumn?: ColumnChoice;
  readonly labelSeparator?: string;
  /** Use the first rows only. */
  readonly limit?: number;
  /** Class ids. Default: from the data. */
  readonly label2id?: Label2Id;
  /** How names that are numbers are told from class numbers. Default: by what the data holds, names first. */
  readonly labelsAre?: LabelsAre;
  /** Default: what the labels show. */
  readonly problemType?: ProblemType;
  /** Told what was decided about the data and might surprise. Default: nobody. */
  readonly onInfo?: (line: string) => void;
}

/** Rows of a file or folder, before they are made into numbers. */
export interface TaskData<Example = unknown> {
  readonly path: string;
  readonly examples: readonly Example[];
  readonly label2id: Label2Id;
  /** Class names by id; empty for regression. */
  readonly labels: readonly string[];
  /** What the labels are; undefined for rows without. */
  readonly problemType?: ProblemType | undefined;
  /** How labels were read that are class names and class numbers at once; undefined where none are. */
  readonly labelsAre?: LabelsAre | undefined;
}

/** Things to predict, and what to call each in the result. */
export interface PredictInputs<Example = unknown> {
  readonly names: readonly string[];
  readonly examples: readonly Example[];
}

/** What of its texts a language model learns, and what becomes of long ones. */
export interface LanguageOptions {
  readonly assistantOnly?: boolean | undefined;
  readonly completionOnly?: boolean | undefined;
  readonly packing?: boolean | undefined;
  readonly tooLong?: TooLong | undefined;
  /** A chat template by its text, its name, or its file (.jinja). Default: the tokenizer's. */
  readonly chatTemplate?: string | undefined;
}

export interface ProcessingOptions {
  /** Folder of the tokenizer or image processor, or its name on the Hub. */
  readonly folder: string;
  /** How it is found on the Hub. */
  readonly from?: HubOptions | undefined;
  readonly network: Network;
  /** Most tokens in a row. Default: the model's limit. */
  readonly maxLength?: number | undefined;
  /** Pad token by its text, where the tokenizer has none. */
  readonly padToken?: string | undefined;
  /** How pictures are prepared. Default "resize". */
  readonly transforms?: "resize" | "augment" | undefined;
  readonly problemType?: ProblemType | undefined;
  readonly language?: LanguageOptions | undefined;
  /** Told what was decided about rows and might surprise. Default: nobody. */
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** What a model says about one input, as JSON has it; `rows` are its lines in a table. */
export interface Prediction {
  readonly json: Readonly<Record<string, unknown>>;
  readonly rows: readonly (readonly Cell[])[];
}

/** What stands in a table: a text, a number, or a share of 1. */
export type Cell = string | { readonly value: number } | { readonly share: number };

export interface PredictionOptions {
  readonly config: ModelConfig;
  /** Most labels of one input, likeliest first. */
  readonly topK: number;
}

/** Makes rows into a model's inputs, and its outputs into predictions. */
export interface Processing<Example = unknown, Row = unknown> {
  dataset(examples: readonly Example[], phase: "train" | "evaluate"): Dataset<Row>;
  readonly collate: (rows: readonly Row[]) => BatchTensors;
  /**
   * @param logits of one row of a batch: [numLabels], or [sequence, numLabels] padded with its batch
   */
  predict(logits: Float32Array, example: Example, options: PredictionOptions): Prediction;
  /** Writes the tokenizer's or image processor's files into a folder, so that it prepares inputs as this one does. */
  save(folder: string): Promise<void>;
}

/** Which metrics a task's evaluations can compute. */
export interface TaskMetrics {
  readonly choices: readonly MetricName[];
  /** What evaluations compute unless a run says otherwise. */
  readonly usual: MetricName | readonly MetricName[];
}

/** One kind of work for a model: what it reads, learns and answers. A new task is a file with such a value and a row. */
export interface Task<Example = unknown, Row = unknown> {
  /** What the model has on top; decides the class that loads it. */
  readonly head: HeadName;
  /** What it reads, in messages. */
  readonly reads: "texts" | "pictures";
  /** Labels of rows, or the tokens of its texts themselves. Default "labels". */
  readonly learns?: "labels" | "tokens";
  /** Files of which one is in every folder that holds its tokenizer or image processor. */
  readonly processingFiles: readonly ModelFileName[];
  /** Formats of its data. */
  readonly formats: readonly string[];
  /** What its labels may be; the first is the usual. */
  readonly problemTypes: readonly ProblemType[];
  /** Keys of adapter_config.json that its adapters have unless a run says otherwise. */
  readonly adapterDefaults: Readonly<Record<string, unknown>>;
  /** Titles of a table of predictions. */
  readonly columns: readonly string[];
  metrics(problemType: ProblemType): TaskMetrics;
  /** @throws GraftError `file-not-found`, `invalid-csv`, `invalid-json`, `invalid-label`, `empty-dataset`, ... */
  read(path: string, options: DataOptions): Promise<TaskData<Example>>;
  /** @throws GraftError as `Tokenizer.fromFolder` and `ImageProcessor.fromFolder` */
  processing(options: ProcessingOptions): Promise<Processing<Example, Row>>;
  /**
   * What the arguments of a prediction mean: inputs themselves, or files and folders of them.
   * @throws GraftError `file-not-found`, `empty-dataset`, and what reading a file throws
   */
  inputs(given: readonly string[], pair: string | undefined, options: DataOptions): Promise<PredictInputs<Example>>;
}

/** A task for the table of tasks: what its rows are is its own affair, all of them come from and go to its own functions. */
export function defineTask<Example, Row>(task: Task<Example, Row>): Task {
  return task as unknown as Task;
}
