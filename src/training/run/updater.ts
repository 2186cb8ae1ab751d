import type { Batch } from "../../data/index.js";
import { GraftError } from "../../errors.js";
import type { TrainingArguments } from "../arguments/index.js";
import type { TrainableModel } from "../model.js";
import { resolvedWarmup, schedules } from "../schedules/index.js";
import { createTrainingSession, type TrainingSession, type TrainingSessionOptions } from "../training-session.js";
import { itemsOf } from "./batches.js";

/** What an update reported. */
export interface UpdateResult {
  /** Mean over all labelled rows of the update. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly rows: number;
  /** Milliseconds inside ONNX Runtime, and of compiling programs. */
  readonly engineMs: number;
  readonly compileMs: number;
}

/** Where decisions about int8 come from and go to. */
export type PrecisionHooks = Pick<TrainingSessionOptions, "knownPrecision" | "onPrecision" | "onQuantize">;

/** LoRA+'s rates, as factors on the run's own. */
function loraPlusOf(args: TrainingArguments): Pick<TrainingSessionOptions, "loraplus"> {
  const { loraplusLrRatio: lrRatio, loraplusLrEmbedding, learningRate } = args;
  if (lrRatio === null) return {};
  // At a rate of 0 nothing moves, embeddings included.
  return { loraplus: { lrRatio, embeddingScale: learningRate === 0 ? 0 : loraplusLrEmbedding / learningRate } };
}

/** The optimiser that the arguments name. */
function sessionOptions(args: TrainingArguments, precision: PrecisionHooks): TrainingSessionOptions {
  const { weightDecay, seed, frozenPrecision } = args;
  const common = { weightDecay, seed, frozenPrecision, ...loraPlusOf(args), ...precision };
  if (args.optim === "sgd") return { optimizer: "sgd", ...common };
  if (args.optim === "lorafa") return { optimizer: "lorafa", betas: [args.adamBeta1, args.adamBeta2], ...common };
  return { optimizer: "adamw", betas: [args.adamBeta1, args.adamBeta2], epsilon: args.adamEpsilon, ...common };
}

/** The batches of each update. */
export async function* updateBatches(batches: AsyncIterable<Batch>, size: number): AsyncGenerator<Batch[], void> {
  let group: Batch[] = [];
  for await (const batch of batches) {
    group.push(batch);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Makes the updates of a run by the arguments' optimiser, schedule and clipping. */
export class Updater {
  readonly session: TrainingSession;
  private readonly warmupSteps: number;

  /**
   * @param maxSteps updates of the whole run
   * @param onSubstepEnd called after each batch of an update but the last
   * @param precision where decisions about int8 come from and go to
   */
  constructor(
    private readonly model: TrainableModel,
    private readonly args: TrainingArguments,
    private readonly maxSteps: number,
    private readonly onSubstepEnd: () => Promise<void>,
    precision: PrecisionHooks = {},
  ) {
    this.session = createTrainingSession(model, sessionOptions(args, precision));
    this.warmupSteps = resolvedWarmup(args.warmupSteps, maxSteps);
  }

  /**
   * One update: gradients of each batch, weighted by its share of the labelled rows, then the optimiser. The loss is
   * thus the mean over all rows, however they are cut into batches (transformers' `num_items_in_batch`).
   * @param step updates made before
   * @throws GraftError `not-finite` naming the update, and what checking a batch throws
   */
  async update(batches: readonly Batch[], step: number): Promise<UpdateResult> {
    // All are checked before the first adds gradients.
    const inputs = batches.map(({ tensors, indices }) => this.model.prepareInputs(tensors, indices));
    const items = inputs.map(({ feeds }) => itemsOf(this.model, feeds.labels));
    const total = items.reduce((sum, count) => sum + count, 0);
    if (total === 0) throw unlabelled(batches);
    let loss = 0;
    let engineMs = 0;
    let compileMs = 0;
    for (const [index, batch] of inputs.entries()) {
      // A batch of ignored rows alone has no mean.
      if (items[index] === 0) continue;
      const weight = items[index]! / total;
      const result = await this.session.forwardBackwardPrepared(batch, { weight });
      loss += weight * result.loss;
      engineMs += result.engineMs;
      compileMs += result.compileMs;
      if (index < inputs.length - 1) await this.onSubstepEnd();
    }
    const learningRate = this.learningRate(step);
    const { gradNorm } = await this.apply(learningRate, step);
    const rows = batches.reduce((sum, batch) => sum + batch.indices.length, 0);
    return { loss, gradNorm, learningRate, rows, engineMs, compileMs };
  }

  private learningRate(step: number): number {
    const length = { warmupSteps: this.warmupSteps, trainingSteps: this.maxSteps };
    return this.args.learningRate * schedules[this.args.lrSchedulerType](step, length);
  }

  private async apply(learningRate: number, step: number): Promise<{ gradNorm: number }> {
    try {
      return await this.session.optimizerStep({ learningRate, maxGradNorm: this.args.maxGradNorm });
    } catch (error) {
      if (!(error instanceof GraftError) || error.code !== "not-finite") throw error;
      await this.session.zeroGrad();
      throw new GraftError(
        "not-finite",
        `update ${step + 1} of ${this.maxSteps}, at learning rate ${learningRate}: ${error.message}`,
        "The weights are those of the update before. Lower learningRate, warm up (warmupSteps), keep maxGradNorm at 1, or look for broken inputs; an earlier checkpoint can be resumed.",
        { cause: error },
      );
    }
  }
}

function unlabelled(batches: readonly Batch[]): GraftError {
  const rows = batches.flatMap(({ indices }) => indices);
  const isMissing = batches[0]?.tensors.labels === undefined;
  return new GraftError(
    "invalid-label",
    `rows ${rows.slice(0, 5).join(", ")}, ... of the training data ${isMissing ? "have no labels" : "are all labelled -100, so nothing is learnt from them"}`,
    "Give the rows labels; a dataCollator must return them as `labels`.",
  );
}
