import type { Label2Id } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { ClassifierOutputs } from "../../models/index.js";
import type { LabelMaps } from "../../models/labels.js";
import { labelMaps } from "../../models/labels.js";
import { parseAdapterConfig } from "../../peft/config/read-config.js";
import { getPeftModel, type PeftModel } from "../../peft/index.js";
import { TrainingArguments, type TrainingArgumentsOptions } from "../../training/index.js";
import type { Run } from "../run-file/run.js";
import { engineOf } from "../run-file/source-flags.js";
import { optionOf } from "../run-file/spelling.js";
import { note, warn } from "../shell/print.js";
import { type Processing, processingOf, type ReadData, readData } from "./data.js";
import { trainingLabels } from "./labels.js";
import { requireMetric } from "./metrics.js";
import { loadClassifier } from "./open.js";
import type { Settings, Task } from "./settings.js";
import { taskOfModel } from "./source.js";

/** A run with what it cannot do without. */
export interface CompleteRun extends Run {
  readonly model: string;
  readonly output: string;
  readonly data: Run["data"] & { readonly train: string };
}

/** Everything a training run needs, checked and loaded; nothing has been written yet. */
export interface PreparedTraining {
  readonly model: PeftModel<ClassifierOutputs>;
  readonly args: TrainingArguments;
  readonly processing: Processing;
  readonly settings: Settings;
  readonly train: ReadData;
  readonly evaluation: ReadData | undefined;
  readonly test: ReadData | undefined;
}

/** TrainingArguments of a run file's section. @throws GraftError `invalid-config`, `unsupported` */
export function trainingArguments(run: CompleteRun): TrainingArguments {
  const options = Object.fromEntries(Object.entries(run.training).map(([key, value]) => [optionOf(key), value]));
  return new TrainingArguments({ ...(options as TrainingArgumentsOptions), outputDir: run.output });
}

/**
 * The LoRA config of a run, with the command line's defaults: texts are SEQ_CLS; for pictures, which PEFT has no task
 * type and no usual targets for, query and value are adapted and the classifier is saved, as in PEFT's own example.
 */
export function loraConfig(lora: Run["lora"], task: Task) {
  const defaults =
    task === "text-classification"
      ? { task_type: "SEQ_CLS" }
      : { modules_to_save: ["classifier"], target_modules: ["query", "value"] };
  return parseAdapterConfig({ peft_type: "LORA", ...defaults, ...lora }, "the section lora", warn);
}

function requireMatch(given: Task | undefined, own: Task, folder: string): Task {
  if (given === undefined || given === own) return own;
  const reads = own === "image-classification" ? "pictures" : "texts";
  throw new GraftError(
    "invalid-argument",
    `task is ${given}, but the model in ${folder} reads ${reads}`,
    "Take a model of the task's kind.",
  );
}

async function labelsOf(run: CompleteRun, train: ReadData): Promise<LabelMaps> {
  if (run.labels) return labelMaps({ id2label: run.labels }, "labels") as LabelMaps;
  if (run.num_labels) return labelMaps({ numLabels: run.num_labels }, "num_labels") as LabelMaps;
  return trainingLabels(run.model, train.label2id);
}

/** A model of one class has nothing to learn; with one output transformers means regression, which must be said. */
function requireClasses({ numLabels, id2label }: LabelMaps, data: string): void {
  if (numLabels > 1) return;
  throw new GraftError(
    "invalid-label",
    `there is one class only, ${JSON.stringify(id2label[0])}, for the training data ${data}`,
    "Give rows of at least two classes (trainLimit takes the first rows, which are of one class in sorted data), name all classes with labels, or set problemType to regression.",
  );
}

function sameIds(a: Label2Id, b: Label2Id): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Reads data and model and puts the adapter on. @throws GraftError whatever is wrong with them */
export async function prepareTraining(run: CompleteRun): Promise<PreparedTraining> {
  const args = trainingArguments(run);
  const { data: keys } = run;
  const task = requireMatch(run.task, await taskOfModel(run.model), run.model);
  const lora = loraConfig(run.lora, task);
  const problemType = run.problem_type ?? "single_label_classification";
  const isRegression = problemType === "regression";
  if (isRegression && task === "image-classification") {
    throw new GraftError(
      "unsupported",
      "regression on pictures",
      "Image folders hold classes: leave problem_type out.",
    );
  }
  const given = run.labels && { label2id: Object.fromEntries(run.labels.map((name, id) => [name, id])) };
  requireMetric(args.metricForBestModel, run.metrics, isRegression);
  const first = await readData(keys.train, { task, keys, isRegression, limit: keys.train_limit, ...given });
  const labels = isRegression ? undefined : await labelsOf(run, first);
  if (labels) requireClasses(labels, keys.train);
  // The ids are the model's, which may name the same classes in another order.
  const reread = labels !== undefined && !run.labels ? { label2id: labels.label2id } : given;
  const read = (path: string, limit: number | undefined) =>
    readData(path, { task, keys, isRegression, limit, ...reread });
  const isSame = labels === undefined || sameIds(labels.label2id, first.label2id);
  const train = isSame ? first : await read(keys.train, keys.train_limit);
  const evaluation = keys.eval === undefined ? undefined : await read(keys.eval, keys.eval_limit);
  const test = keys.test === undefined ? undefined : await read(keys.test, keys.test_limit);
  const base = await loadClassifier(task, run.model, {
    ...engineOf(run),
    ...(labels ? { id2label: labels.id2label } : { numLabels: 1 }),
    problemType,
    ignoreMismatchedSizes: run.ignore_mismatched_sizes ?? "head",
    seed: args.seed,
    onReport: (_, line) => line && note(line),
  });
  const model = getPeftModel(base, lora, { seed: args.seed, onWarning: warn });
  const processing = await processingOf({
    task,
    folder: run.model,
    network: model.network,
    maxLength: keys.max_length,
    transforms: keys.transforms,
    isRegression,
  });
  const { max_length: maxLength, transforms } = keys;
  const settings: Settings = { task, problemType, labels, maxLength, transforms };
  return { model, args, processing, settings, train, evaluation, test };
}
