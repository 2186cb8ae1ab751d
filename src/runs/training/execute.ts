import { platform } from "#platform";
import { precisionFile } from "../../precision/index.js";
import {
  type LogEntry,
  microBatchFile,
  Trainer,
  type TrainerCallback,
  type TrainOutput,
} from "../../training/index.js";
import { computeMetricsOf } from "../data/metrics.js";
import { Companions } from "../models/companions.js";
import { heard } from "../notices.js";
import type { PreparedRun } from "./prepare.js";
import { saveRun } from "./save.js";

export interface ExecuteOptions {
  readonly callbacks?: readonly TrainerCallback[];
  /** Ends the run after the update in progress; what it has learnt is saved. */
  readonly signal?: AbortSignal;
}

/** What a run came to. */
export interface RunResult {
  /** Of the training itself; with `stopReason: "aborted"` nothing is evaluated. */
  readonly output: TrainOutput;
  /** eval_loss, eval_accuracy, ... of the weights that were saved; undefined without evaluation data. */
  readonly scores: LogEntry | undefined;
  /** The evaluation, or the test where there is none, with the int8 products of training; undefined where it was float32. */
  readonly int8Scores: LogEntry | undefined;
  /** test_loss, test_accuracy, ...; undefined without test data. */
  readonly tests: LogEntry | undefined;
  /** For further evaluations and predictions. */
  readonly trainer: Trainer<unknown>;
  /** Folder of the adapter. */
  readonly folder: string;
}

/** A fresh run begins with a folder that holds nothing of an older one. */
async function clearFolder(output: string): Promise<void> {
  if (!(await platform.exists(output))) return;
  for (const { name } of await platform.listDirectory(output)) {
    const isOfRun =
      name === "events.jsonl" || name === precisionFile || name === microBatchFile || /^checkpoint-\d+$/.test(name);
    if (isOfRun) await platform.remove(platform.join(output, name));
  }
}

/** The evaluation of the weights that the run ends with, where it has made one already. */
function knownScores({ state, args }: Pick<Trainer<unknown>, "state" | "args">): LogEntry | undefined {
  const kept = args.loadBestModelAtEnd ? (state.bestGlobalStep ?? state.globalStep) : state.globalStep;
  return state.logHistory.findLast((entry) => entry.eval_loss !== undefined && entry.step === kept);
}

function trainerOf(prepared: PreparedRun, callbacks: readonly TrainerCallback[]): Trainer<unknown> {
  const { run, options, model, args, processing, settings, train, evaluation } = prepared;
  return new Trainer({
    model,
    args,
    trainDataset: processing.dataset(train.examples, "train"),
    ...(evaluation && { evalDataset: processing.dataset(evaluation.examples, "evaluate") }),
    dataCollator: processing.collate,
    computeMetrics: computeMetricsOf(run.metrics, settings.task, model.config, settings.problemType),
    callbacks,
    processingClass: new Companions(processing, settings),
    ...heard(options),
  });
}

/**
 * Trains a prepared run, saves the adapter, and evaluates what was saved.
 * @throws GraftError as `Trainer.train`; `aborted` where the signal comes within an evaluation after the adapter was saved
 */
export async function executeRun(prepared: PreparedRun, options: ExecuteOptions = {}): Promise<RunResult> {
  const { run, model, processing, evaluation, test } = prepared;
  const { resume = false } = prepared.options;
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const trainer = trainerOf(prepared, options.callbacks ?? []);
  if (resume === false) await clearFolder(run.output);
  const output = await trainer.train({ ...signal, resumeFromCheckpoint: resume });
  await saveRun({ trainer, model, plainLora: run.plainLora ?? false }, run.output);
  if (trainer.args.pushToHub && output.stopReason !== "aborted") await trainer.pushToHub({ folder: run.output });
  // The memory of the training program serves the evaluations.
  await model.runner.releasePrograms();
  const trained = { output, trainer, folder: run.output };
  if (output.stopReason === "aborted")
    return { ...trained, scores: undefined, tests: undefined, int8Scores: undefined };
  const testData = test && processing.dataset(test.examples, "evaluate");
  const scores = evaluation && (knownScores(trainer) ?? (await trainer.evaluate(undefined, signal)));
  const tests = testData && (await trainer.predict(testData, signal)).metrics;
  const compared = evaluation ? undefined : testData;
  const int8Scores =
    (evaluation ?? test) && !model.runner.trainsInFloat32
      ? await model.runner.withTrainingPrecision(() =>
          trainer.evaluate(compared, { ...signal, metricKeyPrefix: "int8" }),
        )
      : undefined;
  return { ...trained, scores, tests, int8Scores };
}
