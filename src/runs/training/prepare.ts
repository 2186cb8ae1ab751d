import { platform } from "#platform";
import type { Label2Id } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { ClassifierOutputs } from "../../models/index.js";
import type { LabelMaps } from "../../models/labels.js";
import { labelMaps } from "../../models/labels.js";
import { getPeftModel, type PeftModel } from "../../peft/index.js";
import { lastCheckpoint, requireWritable, TrainingArguments } from "../../training/index.js";
import { type Processing, processingOf, type ReadData, readData } from "../data/data.js";
import { requireMetric } from "../data/metrics.js";
import type { CompleteRun } from "../definition/run.js";
import { engineOf } from "../models/engine.js";
import { trainingLabels } from "../models/labels.js";
import { loadClassifier } from "../models/open.js";
import { checkRunFolder } from "../models/output-folder.js";
import type { Settings, Task } from "../models/settings.js";
import { taskOfModel } from "../models/source.js";
import { heard, type Notices } from "../notices.js";
import { adapterConfig } from "./adapter.js";
import { checkResumed } from "./resume.js";

export interface RunOptions extends Notices {
  /** A checkpoint folder, or true for the last one of the run's output. Default: the run begins anew. */
  readonly resume?: string | boolean | undefined;
  /** Whether a fresh run may replace what an older one wrote into the output folder. Default false. */
  readonly overwrite?: boolean | undefined;
}

/** Everything a training run needs, checked and loaded; the output folder holds nothing of it yet. Its model is the caller's to dispose. */
export interface PreparedRun {
  readonly run: CompleteRun;
  readonly options: RunOptions;
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
  return new TrainingArguments({ ...run.training, outputDir: run.output });
}

function requireMatch(given: Task | undefined, own: Task, folder: string): Task {
  if (given === undefined || given === own) return own;
  const reads = own === "image-classification" ? "pictures" : "texts";
  throw new GraftError(
    "invalid-argument",
    `task is ${given}, but the model in ${folder} reads ${reads}`,
    "Take a model of the task's kind.",
    { option: "task" },
  );
}

async function labelsOf(run: CompleteRun, train: ReadData): Promise<LabelMaps> {
  if (run.labels) return labelMaps({ id2label: run.labels }, "labels") as LabelMaps;
  if (run.numLabels) return labelMaps({ numLabels: run.numLabels }, "numLabels") as LabelMaps;
  return trainingLabels(run.model, train.label2id);
}

/** A model of one class has nothing to learn; with one output transformers means regression, which must be said. */
function requireClasses({ numLabels, id2label }: LabelMaps, data: string): void {
  if (numLabels > 1) return;
  throw new GraftError(
    "invalid-label",
    `there is one class only, ${JSON.stringify(id2label[0])}, for the training data ${data}`,
    "Give rows of at least two classes (trainLimit takes the first rows, which are of one class in sorted data), name all classes with labels, or set problemType to regression.",
    { option: "labels" },
  );
}

function sameIds(a: Label2Id, b: Label2Id): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

type RunData = Pick<PreparedRun, "train" | "evaluation" | "test"> & { readonly labels: LabelMaps | undefined };

/** Reads the data of a run and settles its classes. */
async function dataOf(run: CompleteRun, task: Task, isRegression: boolean): Promise<RunData> {
  const { data: keys } = run;
  const given = run.labels && { label2id: Object.fromEntries(run.labels.map((name, id) => [name, id])) };
  const first = await readData(keys.train, { task, keys, isRegression, limit: keys.trainLimit, ...given });
  const labels = isRegression ? undefined : await labelsOf(run, first);
  if (labels) requireClasses(labels, keys.train);
  // The ids are the model's, which may name the same classes in another order.
  const reread = labels !== undefined && !run.labels ? { label2id: labels.label2id } : given;
  const read = (path: string, limit: number | undefined) =>
    readData(path, { task, keys, isRegression, limit, ...reread });
  const isSame = labels === undefined || sameIds(labels.label2id, first.label2id);
  return {
    labels,
    train: isSame ? first : await read(keys.train, keys.trainLimit),
    evaluation: keys.eval === undefined ? undefined : await read(keys.eval, keys.evalLimit),
    test: keys.test === undefined ? undefined : await read(keys.test, keys.testLimit),
  };
}

/**
 * Checks a run, reads its data and its model, and puts the adapter on.
 * @throws GraftError whatever is wrong with them, with the output folder, or with the checkpoint to resume from
 */
export async function prepareRun(run: CompleteRun, options: RunOptions = {}): Promise<PreparedRun> {
  const { resume = false, overwrite = false } = options;
  const { onWarning, onInfo } = heard(options);
  if (resume === false) await checkRunFolder(run.output, run.model, overwrite);
  // Before anything else takes its time, and before old checkpoints are looked for or cleared away.
  await platform.mendInterruptedWrites(run.output);
  await requireWritable(run.output);
  const args = trainingArguments(run);
  const task = requireMatch(run.task, await taskOfModel(run.model), run.model);
  const config = adapterConfig(run, task, onWarning);
  const problemType = run.problemType ?? "single_label_classification";
  const isRegression = problemType === "regression";
  if (isRegression && task === "image-classification") {
    throw new GraftError(
      "unsupported",
      "regression on pictures",
      "Image folders hold classes: leave problemType out.",
      { option: "problemType" },
    );
  }
  requireMetric(args.metricForBestModel, run.metrics, isRegression);
  const { labels, ...data } = await dataOf(run, task, isRegression);
  const base = await loadClassifier(task, run.model, {
    ...engineOf(run),
    ...(labels ? { id2label: labels.id2label } : { numLabels: 1 }),
    problemType,
    ignoreMismatchedSizes: run.ignoreMismatchedSizes ?? "head",
    seed: args.seed,
    onReport: (_, line) => line && onInfo(line),
  });
  const model = getPeftModel(base, config, { seed: args.seed, onWarning });
  const { maxLength, transforms } = run.data;
  const processing = await processingOf({
    task,
    folder: run.model,
    network: model.network,
    maxLength,
    transforms,
    isRegression,
  });
  const settings: Settings = { task, problemType, labels, maxLength, transforms };
  if (resume !== false) {
    const checkpoint = resume === true ? await lastCheckpoint(run.output) : resume;
    await checkResumed(checkpoint, run, { model, settings }, onWarning);
  }
  return { run, options, model, args, processing, settings, ...data };
}
