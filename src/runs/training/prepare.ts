import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type ClassifierOutputs, listSome, type PreTrainedModel } from "../../models/index.js";
import { getPeftModel, type PeftModel } from "../../peft/index.js";
import { type Processing, type TaskData, type TaskName, tasks } from "../../tasks/index.js";
import { lastCheckpoint, requireWritable, TrainingArguments } from "../../training/index.js";
import { requireMetric } from "../data/metrics.js";
import { languageOptions } from "../data/options.js";
import type { CompleteRun } from "../definition/run.js";
import { usualPrecision } from "../definition/sections.js";
import { engineOf } from "../models/engine.js";
import { loadClassifier } from "../models/open.js";
import { checkRunFolder } from "../models/output-folder.js";
import type { Settings } from "../models/settings.js";
import { type ModelTasks, tasksOfModel } from "../models/source.js";
import { heard, type Notices } from "../notices.js";
import { adapterConfig } from "./adapter.js";
import { dataOf } from "./data.js";
import { promptTokens } from "./prompt-text.js";
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
  return new TrainingArguments({ frozenPrecision: usualPrecision, ...run.training, outputDir: run.output });
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

/** Tensors that begin anew and that the adapter does not hold are others each time the adapter is loaded. */
function warnOfUnsaved({ network, loadingReport }: PreTrainedModel, onWarning: (message: string) => void): void {
  const fresh = new Set(loadingReport?.newlyInitialized);
  const lost = [...network.parameters()].filter(({ name, standIn }) => fresh.has(name) && standIn === null);
  if (lost.length === 0) return;
  const names = listSome(lost.map(({ name }) => name));
  onWarning(`${names} begin anew, and the adapter does not save them: add their modules to modulesToSave`);
}

/** @throws GraftError `invalid-config` for `plainLora` with an adapter that changes no base weights */
function requireChangedWeights(model: PeftModel): void {
  if (model.changesBaseWeights) return;
  throw new GraftError(
    "invalid-config",
    "plainLora converts what an adapter took out of the base's weights, and this one leaves them as they are",
    "Leave plainLora out, or let LoRA begin with pissa or olora (initLoraWeights).",
    { option: "plainLora" },
  );
}

/** @throws GraftError `unsupported` */
function requireSmoothing({ labelSmoothingFactor }: TrainingArguments, task: TaskName): void {
  if (labelSmoothingFactor === 0 || tasks[task].learns === "tokens") return;
  throw new GraftError(
    "unsupported",
    `labelSmoothingFactor is ${labelSmoothingFactor}, and the task is ${task}`,
    "Label smoothing is built for language models; leave it out.",
    { option: "labelSmoothingFactor" },
  );
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
  const initTokenIds = await promptTokens(config);
  // What is known to be wrong is said before data is read.
  if (run.problemType) requireMetric(args.metricForBestModel, run.metrics, task, run.problemType);
  const { labels, labelsAre, problemType, outputs, isNewHead, ...data } = await dataOf(run, task, onInfo);
  requireMetric(args.metricForBestModel, run.metrics, task, problemType);
  const base = await loadClassifier(task, run.model, {
    ...engineOf(run),
    ...(labels ? { id2label: labels.id2label } : outputs > 0 && { numLabels: outputs }),
    ...(outputs > 0 && { problemType }),
    newHead: isNewHead,
    ignoreMismatchedSizes: run.ignoreMismatchedSizes ?? "head",
    allowMissing: run.allowMissing ?? false,
    seed: args.seed,
    onReport: (_, line) => line && onInfo(line),
  });
  const model = getPeftModel(base, config, { seed: args.seed, initTokenIds, onWarning });
  if (run.plainLora) requireChangedWeights(model);
  warnOfUnsaved(base, onWarning);
  const { maxLength, padToken, transforms } = run.data;
  const { network } = model;
  const language = tasks[task].learns === "tokens" ? languageOptions(run.data) : undefined;
  requireSmoothing(args, task);
  const ofData = { maxLength, transforms, problemType, language };
  const processing = await tasks[task].processing({ folder: run.model, network, padToken, ...ofData, onInfo });
  const settings: Settings = { task, labels, labelsAre, ...ofData };
  if (resume !== false) {
    const checkpoint = resume === true ? await lastCheckpoint(run.output) : resume;
    await checkResumed(checkpoint, run, { model, settings }, onWarning);
  }
  return { run, options, model, args, processing, settings, ...data };
}
