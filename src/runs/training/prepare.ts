import { platform } from "#platform";
import type { Label2Id } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { ClassifierOutputs } from "../../models/index.js";
import type { LabelMaps } from "../../models/labels.js";
import { labelMaps } from "../../models/labels.js";
import { getPeftModel, type PeftModel } from "../../peft/index.js";
import type { ProblemType } from "../../problem-type.js";
import { type Processing, type TaskData, type TaskName, tasks } from "../../tasks/index.js";
import { lastCheckpoint, requireWritable, TrainingArguments } from "../../training/index.js";
import { requireMetric } from "../data/metrics.js";
import { dataOptions } from "../data/options.js";
import type { CompleteRun } from "../definition/run.js";
import { engineOf } from "../models/engine.js";
import { trainingLabels } from "../models/labels.js";
import { loadClassifier } from "../models/open.js";
import { checkRunFolder } from "../models/output-folder.js";
import type { Settings } from "../models/settings.js";
import { type ModelTasks, tasksOfModel } from "../models/source.js";
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
  readonly train: TaskData;
  readonly evaluation: TaskData | undefined;
  readonly test: TaskData | undefined;
}

/** TrainingArguments of a run file's section. @throws GraftError `invalid-config`, `unsupported` */
export function trainingArguments(run: CompleteRun): TrainingArguments {
  return new TrainingArguments({ ...run.training, outputDir: run.output });
}

function requireMatch(given: TaskName | undefined, { usual, possible }: ModelTasks, folder: string): TaskName {
  if (given === undefined || possible.includes(given)) return given ?? usual;
  throw new GraftError(
    "invalid-argument",
    `task is ${given}, but the model in ${folder} reads ${tasks[usual].reads}`,
    "Take a model of the task's kind.",
    { option: "task" },
  );
}

/** @throws GraftError `unsupported` for labels that the task's data cannot hold */
function requireProblemType(task: TaskName, given: ProblemType | undefined): ProblemType {
  const { problemTypes } = tasks[task];
  if (given === undefined || problemTypes.includes(given)) return given ?? (problemTypes[0] as ProblemType);
  throw new GraftError(
    "unsupported",
    `${given} for ${task}`,
    `The data of ${task} holds classes: leave problemType out.`,
    { option: "problemType" },
  );
}

async function labelsOf(run: CompleteRun, task: TaskName, train: TaskData): Promise<LabelMaps> {
  if (run.labels) return labelMaps({ id2label: run.labels }, "labels") as LabelMaps;
  if (run.numLabels) return labelMaps({ numLabels: run.numLabels }, "numLabels") as LabelMaps;
  return trainingLabels(run.model, tasks[task].head, train.label2id);
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
async function dataOf(run: CompleteRun, task: TaskName, problemType: ProblemType): Promise<RunData> {
  const { data: keys } = run;
  const given = run.labels && { label2id: Object.fromEntries(run.labels.map((name, id) => [name, id])) };
  const read = (path: string, limit: number | undefined, ids: { readonly label2id?: Label2Id } | undefined) =>
    tasks[task].read(path, dataOptions(keys, { problemType, limit, ...ids }));
  const first = await read(keys.train, keys.trainLimit, given);
  const labels = problemType === "regression" ? undefined : await labelsOf(run, task, first);
  if (labels) requireClasses(labels, keys.train);
  // The ids are the model's, which may name the same classes in another order.
  const reread = labels !== undefined && !run.labels ? { label2id: labels.label2id } : given;
  const isSame = labels === undefined || sameIds(labels.label2id, first.label2id);
  return {
    labels,
    train: isSame ? first : await read(keys.train, keys.trainLimit, reread),
    evaluation: keys.eval === undefined ? undefined : await read(keys.eval, keys.evalLimit, reread),
    test: keys.test === undefined ? undefined : await read(keys.test, keys.testLimit, reread),
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
  const task = requireMatch(run.task, await tasksOfModel(run.model), run.model);
  const config = adapterConfig(run, task, onWarning);
  const problemType = requireProblemType(task, run.problemType);
  requireMetric(args.metricForBestModel, run.metrics, task, problemType);
  const { labels, ...data } = await dataOf(run, task, problemType);
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
  const { network } = model;
  const processing = await tasks[task].processing({ folder: run.model, network, maxLength, transforms, problemType });
  const settings: Settings = { task, problemType, labels, maxLength, transforms };
  if (resume !== false) {
    const checkpoint = resume === true ? await lastCheckpoint(run.output) : resume;
    await checkResumed(checkpoint, run, { model, settings }, onWarning);
  }
  return { run, options, model, args, processing, settings, ...data };
}
