import { platform } from "#platform";
import { type Batch, type Dataset, dataLoader } from "../data/index.js";
import { GraftError } from "../errors.js";
import type { TrainingArguments } from "./arguments/index.js";
import { checkedInputs, countItems, type DataCollator } from "./batches.js";
import { noteBest } from "./best-model.js";
import {
  type CallbackHandler,
  decideAfterEpoch,
  decideAfterStep,
  ProgressMeter,
  type TrainerControl,
} from "./callbacks/index.js";
import { checkpointPath, type ResumePoint, removeOldCheckpoints, type Savable, writeCheckpoint } from "./checkpoint.js";
import { restoreWeights, type TrainableModel } from "./model.js";
import { planRun, type RunPlan, resolvedInterval } from "./plan.js";
import { RunRecord } from "./run-record.js";
import { resolvedWarmup, schedules } from "./schedules/index.js";
import type { LogEntry, TrainerState } from "./state.js";
import { createTrainingSession, type TrainingSession, type TrainingSessionOptions } from "./step.js";

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
}

/** What an update reported. */
interface UpdateResult {
  readonly loss: number;
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly rows: number;
}

/** The optimiser that the arguments name. */
function sessionOptions(args: TrainingArguments): TrainingSessionOptions {
  const common = { weightDecay: args.weightDecay, seed: args.seed };
  if (args.optim === "sgd") return { optimizer: "sgd", ...common };
  return { optimizer: "adamw", betas: [args.adamBeta1, args.adamBeta2], epsilon: args.adamEpsilon, ...common };
}

/** The batches of each update. */
async function* groups(batches: AsyncIterable<Batch>, size: number): AsyncGenerator<Batch[], void> {
  let group: Batch[] = [];
  for await (const batch of batches) {
    group.push(batch);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** One call of `train`: epochs, updates, and what is due between them. */
export class TrainingRun<Row> {
  private readonly plan: RunPlan;
  private readonly session: TrainingSession;
  private readonly record = new RunRecord();
  private readonly meter: ProgressMeter;
  private readonly warmupSteps: number;
  private checkpoint: string | null = null;
  private last: UpdateResult | undefined;

  constructor(private readonly setup: TrainingRunSetup<Row>) {
    const { args, dataset, model, state, resume } = setup;
    const { perDeviceTrainBatchSize: batchSize, dataloaderDropLast } = args;
    const batches = dataset.length / batchSize;
    this.plan = planRun(args, dataset.length, dataloaderDropLast ? Math.floor(batches) : Math.ceil(batches));
    this.session = createTrainingSession(model, sessionOptions(args));
    this.warmupSteps = resolvedWarmup(args.warmupSteps, this.plan.maxSteps);
    const { maxSteps, numTrainEpochs } = this.plan;
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
  }

  /** @throws GraftError whatever stops the run; the model then holds the weights of the last good update */
  async run(): Promise<TrainOutput> {
    const { setup, plan } = this;
    const { state, control } = setup;
    await this.takeUp();
    await this.call("onTrainBegin");
    for (let epoch = Math.floor(state.globalStep / plan.updatesPerEpoch); epoch < plan.numTrainEpochs; epoch++) {
      if (control.shouldTrainingStop || this.isAborted || state.globalStep >= plan.maxSteps) break;
      await this.epoch(epoch);
    }
    return this.finish();
  }

  /** Goes back to a checkpoint, where there is one to resume from. */
  private async takeUp(): Promise<void> {
    const { resume, model, handler, state } = this.setup;
    if (resume === undefined) return;
    await restoreWeights(model, resume.folder);
    await this.session.loadState(resume.optimizer);
    handler.restore(state.statefulCallbacks);
    this.record.restore(state.statefulCallbacks.RunRecord, state.globalStep);
  }

  private async epoch(epoch: number): Promise<void> {
    const { args, dataset, collate, control, state } = this.setup;
    control.shouldEpochStop = false;
    await this.call("onEpochBegin");
    const doneUpdates = state.globalStep - epoch * this.plan.updatesPerEpoch;
    let doneBatches = doneUpdates * args.gradientAccumulationSteps;
    const loader = dataLoader({
      dataset,
      collate,
      batchSize: args.perDeviceTrainBatchSize,
      sampler: args.trainSamplingStrategy,
      dropLast: args.dataloaderDropLast,
      seed: args.dataSeed ?? args.seed,
      epoch,
      skipBatches: doneBatches,
      samplingBatchSize: args.perDeviceTrainBatchSize * args.gradientAccumulationSteps,
      prefetch: args.gradientAccumulationSteps + 1,
    });
    let begun = this.begin();
    for await (const batches of groups(loader, args.gradientAccumulationSteps)) {
      Object.assign(control, { shouldLog: false, shouldEvaluate: false, shouldSave: false });
      await this.call("onStepBegin");
      const result = await this.update(batches, begun);
      doneBatches += batches.length;
      state.globalStep++;
      state.epoch = epoch + doneBatches / this.plan.batchesPerEpoch;
      decideAfterStep(args, state, control);
      await this.call("onStepEnd");
      const progress = this.meter.end(result.rows, { epoch: state.epoch, ...result });
      await this.setup.handler.call("onProgress", this.setup, { progress });
      await this.doWhatIsDue();
      if (this.isAborted) return;
      if (control.shouldTrainingStop || control.shouldEpochStop) break;
      begun = this.begin();
    }
    await this.call("onEpochEnd");
    decideAfterEpoch(args, control);
    await this.doWhatIsDue();
  }

  /** The moment from which the next update's time counts: waiting for its data is part of it. */
  private begin(): number {
    this.meter.begin();
    return platform.now();
  }

  /** One update: gradients of each micro-batch, weighted by its share of the labelled rows, then the optimiser. */
  private async update(batches: readonly Batch[], begun: number): Promise<UpdateResult> {
    const { model, args, state } = this.setup;
    const inputs = batches.map((batch) => checkedInputs(model, batch));
    const items = batches.map(({ tensors }) => countItems(tensors.labels));
    const total = items.reduce((sum, count) => sum + count, 0);
    if (total === 0) throw this.unlabelled(batches);
    const learningRate =
      args.learningRate *
      schedules[args.lrSchedulerType](state.globalStep, {
        warmupSteps: this.warmupSteps,
        trainingSteps: this.plan.maxSteps,
      });
    let loss = 0;
    let engineMs = 0;
    let compileMs = 0;
    for (const [index, batch] of inputs.entries()) {
      // A batch of ignored rows alone has no mean.
      if (items[index] === 0) continue;
      const weight = items[index]! / total;
      const result = await this.session.forwardBackward(batch, { weight });
      loss += weight * result.loss;
      engineMs += result.engineMs;
      compileMs += result.compileMs;
      if (index < inputs.length - 1) await this.call("onSubstepEnd");
    }
    const { gradNorm } = await this.step(learningRate);
    const rows = batches.reduce((sum, batch) => sum + batch.indices.length, 0);
    this.record.addLoss(loss);
    this.record.addUpdate(rows, engineMs, platform.now() - begun - compileMs);
    this.last = { loss, gradNorm, learningRate, rows };
    return this.last;
  }

  private async step(learningRate: number): Promise<{ gradNorm: number }> {
    try {
      return await this.session.optimizerStep({ learningRate, maxGradNorm: this.setup.args.maxGradNorm });
    } catch (error) {
      if (!(error instanceof GraftError) || error.code !== "not-finite") throw error;
      await this.session.zeroGrad();
      throw new GraftError(
        "not-finite",
        `update ${this.setup.state.globalStep + 1} of ${this.plan.maxSteps}, at learning rate ${learningRate}: ${error.message}`,
        "The weights are those of the update before. Lower learningRate, warm up (warmupSteps), keep maxGradNorm at 1, or look for broken inputs; an earlier checkpoint can be resumed.",
        { cause: error },
      );
    }
  }

  private unlabelled(batches: readonly Batch[]): GraftError {
    const rows = batches.flatMap(({ indices }) => indices);
    const isMissing = batches[0]?.tensors.labels === undefined;
    return new GraftError(
      "invalid-label",
      `rows ${rows.slice(0, 5).join(", ")}, ... of the training data ${isMissing ? "have no labels" : "are all labelled -100, so nothing is learnt from them"}`,
      "Give the rows labels; a dataCollator must return them as `labels`.",
    );
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
      const isBest = metrics !== undefined && noteBest(args, state, metrics);
      if (args.saveStrategy === "best") control.shouldSave = isBest;
    }
    if (control.shouldSave) {
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
    const { args, state, handler, saved } = this.setup;
    const path = checkpointPath(args.outputDir, state.globalStep);
    if (this.checkpoint === path) return;
    if (state.bestGlobalStep !== null) {
      const best = checkpointPath(args.outputDir, state.bestGlobalStep);
      if (best === path || (await platform.exists(best))) state.bestModelCheckpoint = best;
    }
    state.statefulCallbacks = { ...handler.states(), RunRecord: this.record.state() };
    await writeCheckpoint(path, { saved, optimizer: await this.session.state(), state, args });
    this.checkpoint = path;
    if (args.saveTotalLimit !== null) {
      await removeOldCheckpoints(args.outputDir, args.saveTotalLimit, state.bestModelCheckpoint);
    }
    await handler.call("onSave", this.setup, { checkpoint: path });
  }

  private async finish(): Promise<TrainOutput> {
    const { args, model, state, handler, log } = this.setup;
    const isComplete = state.globalStep >= this.plan.maxSteps;
    const stopReason: StopReason = isComplete ? "completed" : this.isAborted ? "aborted" : "callback";
    if (stopReason === "aborted" && state.globalStep > 0) await this.save();
    await this.session.sync();
    const summary = this.record.summary(state.globalStep);
    await log(summary);
    if (args.loadBestModelAtEnd && state.bestModelCheckpoint !== null && stopReason !== "aborted") {
      await restoreWeights(model, state.bestModelCheckpoint);
    }
    const metrics = { ...summary, epoch: state.epoch };
    await handler.call("onTrainEnd", this.setup, { metrics });
    return {
      globalStep: state.globalStep,
      trainingLoss: this.record.meanLoss(state.globalStep),
      metrics,
      stopReason,
      checkpoint: this.checkpoint,
    };
  }

  private get isAborted(): boolean {
    return this.setup.signal?.aborted ?? false;
  }

  private call(
    method: "onTrainBegin" | "onEpochBegin" | "onStepBegin" | "onSubstepEnd" | "onStepEnd" | "onEpochEnd",
  ): Promise<void> {
    return this.setup.handler.call(method, this.setup, {});
  }
}
