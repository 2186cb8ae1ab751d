import { platform } from "#platform";
import { type Dataset, dataLoader } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import { later } from "../../turn.js";
import type { TrainingArguments } from "../arguments/index.js";
import {
  type CallbackHandler,
  decideAfterEpoch,
  decideAfterStep,
  type Progress,
  ProgressMeter,
  quantizeProgress,
  type TrainerControl,
} from "../callbacks/index.js";
import { changedArguments, type ResumePoint, type Savable } from "../checkpoints/checkpoint.js";
import { CheckpointKeeper } from "../checkpoints/checkpoint-keeper.js";
import type { LogEntry, TrainerState } from "../checkpoints/state.js";
import { restoreWeights, type TrainableModel } from "../model.js";
import {
  type FrozenPrecisionReport,
  readPrecisionReport,
  writePrecisionReport,
} from "../precision/precision-report.js";
import { requireWritable } from "../writable.js";
import type { DataCollator } from "./batches.js";
import { noteBest } from "./best-model.js";
import { pendingState, takeUpPending } from "./pending.js";
import { planRun, type RunPlan, resolvedInterval } from "./plan.js";
import { RunRecord } from "./run-record.js";
import { type UpdateResult, Updater, updateBatches } from "./updater.js";

/** Why a run ended: all updates made, a callback asked for it, or its AbortSignal fired. */
export type StopReason = "completed" | "callback" | "aborted";

/** What `train` gives back. */
export interface TrainOutput {
  /** Updates made, those before a resumption included. */
  readonly globalStep: number;
  /** Mean loss of all updates. */
  readonly trainingLoss: number;
  /** train_runtime, train_samples_per_second, train_loss, ... */
  readonly metrics: LogEntry;
  readonly stopReason: StopReason;
  /** The last checkpoint that this run wrote. */
  readonly checkpoint: string | null;
}

export interface TrainingRunSetup<Row> {
  readonly model: TrainableModel;
  readonly args: TrainingArguments;
  readonly dataset: Dataset<Row>;
  readonly collate: DataCollator<Row>;
  readonly handler: CallbackHandler;
  readonly control: TrainerControl;
  readonly state: TrainerState;
  /** Saved beside the model in checkpoints. */
  readonly saved: readonly Savable[];
  readonly resume: ResumePoint | undefined;
  readonly signal: AbortSignal | undefined;
  /** Evaluates, logs and tells callbacks. */
  readonly evaluate: () => Promise<LogEntry>;
  readonly log: (logs: LogEntry) => Promise<void>;
  /** Tells the user one sentence that deserves attention. */
  readonly warn: (message: string) => void;
  /** Tells the user one sentence that deserves none. */
  readonly inform: (message: string) => void;
}

/** One call of `train`: epochs, updates, and what is due between them. */
export class TrainingRun<Row> {
  private readonly plan: RunPlan;
  private readonly updater: Updater;
  private readonly record = new RunRecord();
  private readonly meter: ProgressMeter;
  private readonly keeper: CheckpointKeeper;
  private hasBegun = false;
  private told: Promise<void> = Promise.resolve();
  private last: UpdateResult | undefined;
  /** What was decided about int8, by the run that this one goes on from or by this one. */
  private precision: FrozenPrecisionReport | undefined;

  constructor(private readonly setup: TrainingRunSetup<Row>) {
    const { args, dataset, model, state, resume } = setup;
    const { perDeviceTrainBatchSize: batchSize, dataloaderDropLast } = args;
    const batches = dataset.length / batchSize;
    this.plan = planRun(args, dataset.length, dataloaderDropLast ? Math.floor(batches) : Math.ceil(batches));
    this.updater = new Updater(model, args, this.plan.maxSteps, () => this.call("onSubstepEnd"), {
      knownPrecision: async () => this.precision,
      onPrecision: async (report) => {
        this.precision = report;
        if (report.used === "int8") setup.inform(report.reason);
        else setup.warn(report.reason);
        await writePrecisionReport(args.outputDir, report);
      },
      onQuantize: (progress) => this.tell(quantizeProgress(progress, state.epoch)),
    });
    const { maxSteps, numTrainEpochs } = this.plan;
    if (resume && resume.state.maxSteps !== maxSteps && changedArguments(resume, args).length === 0) {
      setup.warn(
        `${resume.folder} is of a run of ${resume.state.maxSteps} updates, this one has ${maxSteps}: the training data has another length, so the run will take another course`,
      );
    }
    Object.assign(state, {
      ...resume?.state,
      maxSteps,
      numTrainEpochs,
      trainBatchSize: batchSize,
      loggingSteps: resolvedInterval(args.loggingSteps, maxSteps),
      evalSteps: resolvedInterval(args.evalSteps ?? args.loggingSteps, maxSteps),
      saveSteps: resolvedInterval(args.saveSteps, maxSteps),
    });
    this.meter = new ProgressMeter("train", maxSteps, state.globalStep);
    this.keeper = new CheckpointKeeper(args, state);
  }

  /**
   * Makes the run and frees what it holds in the worker, whatever its end.
   * @throws what stops the run, after callbacks were told; the model then holds the weights of the last good update
   */
  async run(): Promise<TrainOutput> {
    try {
      return await this.allEpochs();
    } catch (error) {
      if (this.hasBegun) await this.setup.handler.tellError(this.setup, error);
      throw error;
    } finally {
      await this.updater.session.dispose();
    }
  }

  private async allEpochs(): Promise<TrainOutput> {
    const { setup, plan } = this;
    const { state, control } = setup;
    await this.takeUp();
    if (setup.args.saveStrategy !== "no") await requireWritable(setup.args.outputDir);
    this.hasBegun = true;
    await this.call("onTrainBegin");
    if (setup.resume) {
      // What the interrupted run owed to its last update comes first.
      takeUpPending(state.statefulCallbacks.TrainerControl, setup.args, control);
      await this.doWhatIsDue();
    }
    const first = Math.floor(state.globalStep / plan.updatesPerEpoch);
    const doneUpdates = state.globalStep % plan.updatesPerEpoch;
    for (let epoch = first; epoch < plan.numTrainEpochs; epoch++) {
      if (control.shouldTrainingStop || this.isAborted || state.globalStep >= plan.maxSteps) break;
      await this.epoch(epoch, epoch === first ? doneUpdates : 0);
    }
    return this.finish();
  }

  /** Goes back to a checkpoint, where there is one to resume from. */
  private async takeUp(): Promise<void> {
    const { resume, model, handler, state } = this.setup;
    if (resume === undefined) return;
    await restoreWeights(model, resume.folder);
    await this.updater.session.loadState(resume.optimizer);
    await this.keeper.takeUp(resume);
    await this.takeUpPrecision(resume.folder);
    handler.restore(state.statefulCallbacks);
    this.record.restore(state.statefulCallbacks.RunRecord, state.globalStep);
  }

  private async takeUpPrecision(checkpoint: string): Promise<void> {
    const { frozenPrecision, outputDir } = this.setup.args;
    if (frozenPrecision === "f32") return;
    this.precision = await readPrecisionReport(checkpoint);
    if (this.precision) await writePrecisionReport(outputDir, this.precision);
  }

  /** @param doneUpdates of this epoch, before the run was resumed */
  private async epoch(epoch: number, doneUpdates: number): Promise<void> {
    const { args, dataset, collate, control, state } = this.setup;
    control.shouldEpochStop = false;
    await this.call("onEpochBegin");
    let doneBatches = doneUpdates * args.gradientAccumulationSteps;
    const loader = dataLoader({
      dataset,
      collate,
      batchSize: args.perDeviceTrainBatchSize,
      sampler: args.trainSamplingStrategy,
      dropLast: args.dataloaderDropLast,
      seed: args.seed,
      samplerSeed: args.dataSeed ?? args.seed,
      epoch,
      skipBatches: doneBatches,
      samplingBatchSize: args.perDeviceTrainBatchSize * args.gradientAccumulationSteps,
      prefetch: args.gradientAccumulationSteps + 1,
    });
    let begun = this.begin();
    for await (const batches of updateBatches(loader, args.gradientAccumulationSteps)) {
      Object.assign(control, { shouldLog: false, shouldEvaluate: false, shouldSave: false });
      await this.call("onStepBegin");
      const result = await this.updater.update(batches, state.globalStep);
      await this.told;
      this.record.addLoss(result.loss);
      this.record.addUpdate(result.rows, result.engineMs, platform.now() - begun - result.compileMs);
      this.last = result;
      doneBatches += batches.length;
      state.globalStep++;
      state.epoch = epoch + doneBatches / this.plan.batchesPerEpoch;
      decideAfterStep(args, state, control);
      await this.call("onStepEnd");
      const { loss, gradNorm, learningRate, rows } = result;
      const progress = this.meter.end(rows, { epoch: state.epoch, loss, gradNorm, learningRate });
      await this.setup.handler.call("onProgress", this.setup, { progress });
      await this.doWhatIsDue();
      if (control.shouldTrainingStop || control.shouldEpochStop || doneBatches >= this.plan.batchesPerEpoch) break;
      if (this.isAborted) return;
      begun = this.begin();
    }
    await this.call("onEpochEnd");
    decideAfterEpoch(args, control);
    await this.doWhatIsDue();
  }

  /** Tells callbacks what happens within an update: one after the other, and the update's end waits for them. */
  private tell(progress: Progress): void {
    // A failure reaches the run after the update.
    this.told = later(this.told.then(() => this.setup.handler.call("onProgress", this.setup, { progress })));
  }

  /** The moment from which the next update's time counts: waiting for its data is part of it. */
  private begin(): number {
    this.meter.begin();
    return platform.now();
  }

  private async doWhatIsDue(): Promise<void> {
    const { args, control, state, log } = this.setup;
    if (control.shouldLog && this.last && this.record.isLogDue(state.globalStep)) {
      control.shouldLog = false;
      const { gradNorm, learningRate } = this.last;
      await log({
        loss: this.record.takeMeanLoss(state.globalStep),
        grad_norm: gradNorm,
        learning_rate: learningRate,
      });
    }
    if (control.shouldEvaluate && !this.isAborted) {
      control.shouldEvaluate = false;
      const metrics = await this.evaluate();
      if (metrics === undefined) control.shouldEvaluate = true;
      else {
        const isBest = noteBest(args, state, metrics);
        if (args.saveStrategy === "best") control.shouldSave = isBest;
      }
    }
    if (control.shouldSave && !this.isInterrupted) {
      control.shouldSave = false;
      await this.save();
    }
  }

  /** @returns undefined when the run was aborted meanwhile */
  private async evaluate(): Promise<LogEntry | undefined> {
    try {
      return await this.setup.evaluate();
    } catch (error) {
      if (this.isAborted && error instanceof GraftError && error.code === "aborted") return undefined;
      throw error;
    }
  }

  private async save(): Promise<void> {
    const { model, state, handler, saved, control } = this.setup;
    const { isInterrupted } = this;
    const checkpoint = await this.keeper.save(async () => {
      state.statefulCallbacks = {
        ...handler.states(),
        RunRecord: this.record.state(),
        ...(isInterrupted && { TrainerControl: pendingState(control, state) }),
      };
      const besides = { savePretrained: async (folder: string) => model.saveTrainingState?.(folder) };
      return { saved: [...saved, besides], optimizer: await this.updater.session.state(), precision: this.precision };
    }, isInterrupted);
    if (checkpoint !== undefined) await handler.call("onSave", this.setup, { checkpoint });
  }

  private async finish(): Promise<TrainOutput> {
    const { args, state, handler, log } = this.setup;
    const stopReason = this.stopReason();
    if (stopReason === "aborted" && state.globalStep > 0) await this.save();
    await this.updater.session.sync();
    const summary = this.record.summary(state.globalStep);
    await log(summary);
    if (stopReason !== "aborted") {
      if (args.loadBestModelAtEnd) await this.loadBest();
      await this.keeper.keepBestAlone();
    }
    const metrics = { ...summary, epoch: state.epoch };
    await handler.call("onTrainEnd", this.setup, { metrics });
    return {
      globalStep: state.globalStep,
      trainingLoss: this.record.meanLoss(state.globalStep),
      metrics,
      stopReason,
      checkpoint: this.keeper.last,
    };
  }

  private stopReason(): StopReason {
    const { state, control } = this.setup;
    if (this.isInterrupted) return "aborted";
    if (state.globalStep >= this.plan.maxSteps) return "completed";
    return this.isAborted && !control.shouldTrainingStop ? "aborted" : "callback";
  }

  private async loadBest(): Promise<void> {
    const { args, model, state, warn } = this.setup;
    if (state.bestModelCheckpoint !== null) return restoreWeights(model, state.bestModelCheckpoint);
    warn(
      `no checkpoint is the best one by ${args.metricForBestModel} (${state.bestMetric === null ? "no evaluation gave a number for it" : "it is no longer there"}): the model keeps the weights of the last update`,
    );
  }

  private get isAborted(): boolean {
    return this.setup.signal?.aborted ?? false;
  }

  /** Whether an abort has left an evaluation undone; a checkpoint that is due waits for it. */
  private get isInterrupted(): boolean {
    return this.isAborted && this.setup.control.shouldEvaluate;
  }

  private call(
    method: "onTrainBegin" | "onEpochBegin" | "onStepBegin" | "onSubstepEnd" | "onStepEnd" | "onEpochEnd",
  ): Promise<void> {
    return this.setup.handler.call(method, this.setup, {});
  }
}
