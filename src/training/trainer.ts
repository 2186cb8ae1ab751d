import { platform } from "#platform";
import type { Dataset } from "../data/index.js";
import { GraftError } from "../errors.js";
import type { PushedCommit } from "../hub/index.js";
import type { TrainingArguments } from "./arguments/index.js";
import { TrainingArguments as Arguments } from "./arguments/index.js";
import { CallbackHandler, EventLogCallback, newControl, type TrainerCallback } from "./callbacks/index.js";
import {
  changedArguments,
  lastCheckpoint,
  listCheckpoints,
  type ResumePoint,
  readCheckpoint,
  type Savable,
} from "./checkpoints/checkpoint.js";
import { type LogEntry, newTrainerState, type TrainerState } from "./checkpoints/state.js";
import { HubCallback } from "./hub/hub-callback.js";
import { type PushRunOptions, pushRun } from "./hub/push-run.js";
import type { TrainableModel } from "./model.js";
import { type DataCollator, type DatasetLike, defaultCollator, toDataset } from "./run/batches.js";
import { type EvalPrediction, type EvaluationOutput, evaluationLoop } from "./run/evaluation-loop.js";
import { trainingLoop } from "./run/loop.js";
import type { TrainOutput } from "./run/setup.js";

/** Makes metrics of an evaluation; names get the prefix eval_ or test_. */
export type ComputeMetrics = (
  prediction: EvalPrediction,
) => Readonly<Record<string, number>> | Promise<Readonly<Record<string, number>>>;

export interface TrainerOptions<Row> {
  readonly model: TrainableModel;
  /** Default: `new TrainingArguments()`. */
  readonly args?: TrainingArguments;
  readonly trainDataset?: DatasetLike<Row>;
  readonly evalDataset?: DatasetLike<Row>;
  /** Makes batches of rows. Default: by the model's inputs, with `processingClass` for text. */
  readonly dataCollator?: DataCollator<Row>;
  readonly computeMetrics?: ComputeMetrics;
  readonly callbacks?: readonly TrainerCallback[];
  /** The tokenizer or image processor; saved with the model and in every checkpoint. */
  readonly processingClass?: Savable;
  /** Old name of `processingClass`. */
  readonly tokenizer?: Savable;
  /** Receives remarks. Default console.warn. */
  readonly onWarning?: (message: string) => void;
  /** Receives what is no cause for concern: which products are computed in int8. Default console.info. */
  readonly onInfo?: (message: string) => void;
}

export interface TrainOptions {
  /** A checkpoint folder, or true for the last one of outputDir. */
  readonly resumeFromCheckpoint?: string | boolean;
  /** Ends the run after the update in progress; a checkpoint is saved, so nothing is lost. */
  readonly signal?: AbortSignal;
}

export interface EvaluateOptions {
  readonly signal?: AbortSignal;
  /** Default "eval". */
  readonly metricKeyPrefix?: string;
}

export interface PredictionOutput extends EvalPrediction {
  readonly metrics: LogEntry;
}

/**
 * Trains, evaluates and saves a model, with the names and the behaviour of transformers' Trainer.
 *
 * @example
 * const trainer = new Trainer({ model, args, trainDataset, evalDataset, dataCollator, computeMetrics });
 * await trainer.train();
 * const { eval_accuracy } = await trainer.evaluate();
 */
export class Trainer<Row> {
  readonly model: TrainableModel;
  readonly args: TrainingArguments;
  /** Of the run in progress or the last one. */
  state: TrainerState = newTrainerState();
  /** What callbacks ask of the run. */
  readonly control = newControl();
  private readonly handler: CallbackHandler;
  private readonly collate: DataCollator<Row>;
  private isTraining = false;
  private readonly datasets = new Map<DatasetLike<Row>, Promise<Dataset<Row>>>();

  /** @throws GraftError `invalid-argument` where batches cannot be made, `invalid-config` for evaluations without data */
  constructor(private readonly options: TrainerOptions<Row>) {
    const {
      model,
      args = new Arguments(),
      dataCollator,
      tokenizer,
      processingClass = tokenizer,
      callbacks = [],
    } = options;
    this.model = model;
    this.args = args;
    this.collate = dataCollator ?? defaultCollator(model, processingClass);
    const pushing = new HubCallback(
      (push) => this.pushToHub(push),
      (message) => this.warn(message),
    );
    this.handler = new CallbackHandler([
      ...(args.pushToHub ? [pushing] : []),
      ...(args.reportTo === "events" ? [new EventLogCallback()] : []),
      ...callbacks,
    ]);
    if (args.evalStrategy !== "no" && options.evalDataset === undefined) {
      throw new GraftError(
        "invalid-config",
        `evalStrategy is "${args.evalStrategy}", but there is no evalDataset`,
        'Pass an evalDataset, or set evalStrategy to "no".',
      );
    }
    for (const warning of args.warnings) this.warn(warning);
  }

  /**
   * Trains the model's trainable parameters. Afterwards the model holds the trained weights, or the best ones with
   * `loadBestModelAtEnd`.
   * @throws GraftError `not-finite` naming the update, `empty-dataset`, `invalid-label`, `invalid-token`, ...
   */
  async train(options: TrainOptions = {}): Promise<TrainOutput> {
    if (this.isTraining) {
      throw new GraftError(
        "invalid-argument",
        "this Trainer is training already",
        "Await train() before it is called again; runs at the same time need models of their own.",
      );
    }
    this.isTraining = true;
    try {
      return await this.newRun(options);
    } finally {
      this.isTraining = false;
    }
  }

  private async newRun({ resumeFromCheckpoint = false, signal }: TrainOptions): Promise<TrainOutput> {
    const dataset = await this.dataset(this.options.trainDataset, "trainDataset");
    // What is wrong with the evaluation's data is better known now than after an epoch.
    if (this.args.evalStrategy !== "no") await this.dataset(this.options.evalDataset, "evalDataset");
    const resume = await this.resumePoint(resumeFromCheckpoint);
    if (resume === undefined) await this.warnOfEarlierRun();
    this.state = newTrainerState();
    Object.assign(this.control, newControl());
    const { model, args, handler, control, state, collate } = this;
    const evaluate = () => this.evaluate(undefined, signal ? { signal } : {});
    const log = (logs: LogEntry) => this.log(logs);
    const saved = this.savables();
    return trainingLoop({
      model,
      args,
      dataset,
      collate,
      handler,
      control,
      state,
      saved,
      resume,
      signal,
      evaluate,
      log,
      warn: (message) => this.warn(message),
      inform: this.options.onInfo ?? console.info,
    });
  }

  /**
   * Loss and metrics of a dataset (default: evalDataset): eval_loss, what computeMetrics returns, and the pace.
   * @throws GraftError `empty-dataset`, `aborted`
   */
  async evaluate(data?: DatasetLike<Row>, options: EvaluateOptions = {}): Promise<Record<string, number>> {
    const { metrics } = await this.loop(data ?? this.options.evalDataset, "evaluate", {
      metricKeyPrefix: "eval",
      ...options,
    });
    await this.log(metrics);
    await this.handler.call("onEvaluate", this, { metrics });
    return { ...metrics, epoch: this.state.epoch };
  }

  /** Logits and labels of a dataset, with metrics (prefix test_) where it has labels. */
  async predict(data: DatasetLike<Row>, options: EvaluateOptions = {}): Promise<PredictionOutput> {
    const { output, metrics } = await this.loop(data, "predict", { metricKeyPrefix: "test", ...options });
    await this.handler.call("onPredict", this, { metrics });
    const { predictions, labelIds, loss } = output;
    return { predictions, labelIds, loss, metrics };
  }

  /** Saves the model (an adapter: in PEFT's format) and the processing class. Default folder: outputDir. */
  async saveModel(folder: string = this.args.outputDir): Promise<void> {
    await platform.makeDirectory(folder);
    for (const one of this.savables()) await one.savePretrained(folder);
  }

  /**
   * Saves the model in outputDir, writes a model card from what the run logged, and pushes both to the Hub as one commit;
   * the repository is made where it is missing.
   * @throws GraftError `hub-access` where nobody is logged in or the token may not write, `hub-unreachable`
   */
  async pushToHub(options: PushRunOptions = {}): Promise<PushedCommit> {
    const { folder = this.args.outputDir } = options;
    if (options.folder === undefined) await this.saveModel(folder);
    return pushRun(this, folder, options);
  }

  private warn(message: string): void {
    (this.options.onWarning ?? console.warn)(message);
  }

  private savables(): Savable[] {
    const { tokenizer, processingClass = tokenizer } = this.options;
    return [this.model, ...(processingClass === undefined ? [] : [processingClass])];
  }

  private async resumePoint(resume: string | boolean): Promise<ResumePoint | undefined> {
    if (resume === false) return undefined;
    const point = await readCheckpoint(resume === true ? await lastCheckpoint(this.args.outputDir) : resume);
    const changed = changedArguments(point, this.args);
    if (changed.length > 0) {
      this.warn(
        `resumed from ${point.folder} with other options: ${changed.join(", ")}; the run will take another course`,
      );
    }
    return point;
  }

  /** A fresh run does not touch what an earlier one left, save by overwriting checkpoints of the same number. */
  private async warnOfEarlierRun(): Promise<void> {
    const { outputDir } = this.args;
    const earlier = await listCheckpoints(outputDir);
    const last = earlier.at(-1);
    if (last === undefined) return;
    this.warn(
      `${outputDir} holds ${earlier.length === 1 ? "a checkpoint" : `${earlier.length} checkpoints`} of an earlier run, up to checkpoint-${last.step}; this run begins anew: resumeFromCheckpoint: true would go on, and another outputDir keeps the two apart`,
    );
  }

  /** Iterables are read once. */
  private dataset(data: DatasetLike<Row> | undefined, name: string): Promise<Dataset<Row>> {
    if (data === undefined) {
      throw new GraftError("invalid-argument", `the Trainer has no ${name}`, `Pass ${name} to the Trainer.`);
    }
    const known = this.datasets.get(data) ?? toDataset(data, name);
    this.datasets.set(data, known);
    return known;
  }

  private async loop(
    data: DatasetLike<Row> | undefined,
    phase: "evaluate" | "predict",
    { signal, metricKeyPrefix: prefix }: EvaluateOptions,
  ): Promise<{ output: EvaluationOutput; metrics: Record<string, number> }> {
    const { model, args, collate, handler, state } = this;
    const batchSize = args.perDeviceEvalBatchSize;
    const output = await evaluationLoop({
      model,
      dataset: await this.dataset(data, phase === "evaluate" ? "evalDataset" : "the data to predict"),
      collate,
      batchSize,
      seed: args.seed,
      labelSmoothingFactor: args.labelSmoothingFactor,
      phase,
      signal,
      onProgress: (progress) => handler.call("onProgress", this, { progress: { ...progress, epoch: state.epoch } }),
    });
    const computed = output.labelIds === undefined ? {} : ((await this.options.computeMetrics?.(output)) ?? {});
    const named = Object.entries(computed).map(([name, value]) => [`${prefix}_${name}`, value]);
    const metrics: Record<string, number> = {
      ...(output.loss !== undefined && { [`${prefix}_loss`]: output.loss }),
      ...Object.fromEntries(named),
      [`${prefix}_runtime`]: output.seconds,
      [`${prefix}_samples_per_second`]: output.rows / output.seconds,
      [`${prefix}_steps_per_second`]: Math.ceil(output.rows / batchSize) / output.seconds,
    };
    return { output, metrics };
  }

  private async log(logs: LogEntry): Promise<void> {
    const { epoch, globalStep: step } = this.state;
    const entry = { ...logs, epoch, step };
    this.state.logHistory.push(entry);
    await this.handler.call("onLog", this, { logs: entry });
  }
}
