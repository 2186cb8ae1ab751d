import { platform } from "#platform";
import { GraftError } from "../errors.js";
import type { BoundProgram, ModelInputs, PreparedInputs } from "../models/index.js";
import { lossInputs } from "../models/index.js";
import type { OptimizerName, OptimizerSettings } from "../optim/index.js";
import { type FrozenPrecision, type FrozenPrecisionName, frozenPrecisions } from "../precision/index.js";
import type { EngineScope, OptimizerHandle, OptimizerOptions, OptimizerState } from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import { Turn } from "../turn.js";
import { type BatchCut, fixedCut, MeasuredCut, pieceOf, requireRows, sizeOf } from "./micro-batches/index.js";
import type { TrainableModel } from "./model.js";
import { stepWithMethods } from "./run/after-step.js";
import { itemsOf } from "./run/batches.js";
import { freezeFirstFactors, type LoraPlus, optimizedParameters, requireFactors } from "./run/optimized-parameters.js";

/** An optimiser with settings of its own; those left out are PyTorch's defaults. */
export type OptimizerChoice = {
  [K in OptimizerName]: { readonly name: K } & Partial<OptimizerSettings[K]>;
}[OptimizerName];

export interface TrainingSessionOptions {
  /** By its name alone, or with settings: `{ name: "adamw", betas: [0.9, 0.98] }`. Default "adamw". */
  readonly optimizer?: OptimizerName | OptimizerChoice;
  /** Decay of all trained parameters but biases and normalisations. Default 0. */
  readonly weightDecay?: number;
  /** Rates apart for the factors of LoRA (LoRA+, Hayou et al. 2024). Default: one rate for all. */
  readonly loraplus?: LoraPlus;
  /** Decides the dropout masks. Default 42. */
  readonly seed?: number;
  /**
   * Products with frozen weights; int8 is decided product by product on the first batch. `new Int8Precision({ ... })`
   * tells what was decided and follows earlier decisions. Default "f32".
   */
  readonly frozenPrecision?: FrozenPrecisionName | FrozenPrecision;
  /**
   * Rows that are run at once: a batch is done in pieces, with the same dropout, loss and gradients to rounding, and less
   * memory. "auto" finds the size on the first batch; `new MeasuredCut(...)` tells it. Default: whole batches.
   */
  readonly microBatchSize?: number | "auto" | BatchCut;
  /** Of language models: the share of the uniform distribution over the vocabulary in what is learnt. Default 0. */
  readonly labelSmoothingFactor?: number;
}

function cutOf(size: TrainingSessionOptions["microBatchSize"]): BatchCut {
  if (typeof size === "object") return size;
  if (size === "auto") return new MeasuredCut();
  return fixedCut(size === undefined ? Number.POSITIVE_INFINITY : requireRows(size));
}

function choiceOf({ optimizer = "adamw" }: TrainingSessionOptions): OptimizerChoice {
  return typeof optimizer === "string" ? { name: optimizer } : optimizer;
}

export interface ForwardBackwardOptions {
  /** Factor on this batch's gradients, e.g. its share of the rows of an update. Default 1. */
  readonly weight?: number;
}

export interface ForwardBackwardResult {
  /** Mean loss of the batch, before `weight`. */
  readonly loss: number;
  /** Milliseconds inside ONNX Runtime. */
  readonly engineMs: number;
  /** Milliseconds spent on making the program; 0 once there is one. */
  readonly compileMs: number;
}

export interface OptimizerStepOptions {
  readonly learningRate: number;
  /** Gradients of a larger global norm are scaled down to it. Default 0: no clipping. */
  readonly maxGradNorm?: number;
}

/**
 * The two halves of a training loop: one call gives the loss and adds up gradients, another applies the optimiser.
 * Parameters, gradients and optimiser state stay in the model's worker; `sync` copies trained values to the model.
 * Calls are carried out in the order in which they are made, awaited or not.
 *
 * @example
 * const session = createTrainingSession(model, { optimizer: "adamw", weightDecay: 0.01 });
 * const { loss } = await session.forwardBackward({ inputIds, attentionMask, labels });
 * const { gradNorm } = await session.optimizerStep({ learningRate: 1e-3, maxGradNorm: 1 });
 */
export class TrainingSession {
  private program: BoundProgram | undefined;
  private optimizer: OptimizerHandle | undefined;
  private pendingState: OptimizerState | undefined;
  private updates = 0;
  private microStep = 0;
  private isDisposed = false;
  private readonly turn = new Turn();
  private readonly cut: BatchCut;
  /** Takes back what the optimiser froze. */
  private readonly thaw: () => void = () => {};

  /** @internal Made by `createTrainingSession`. */
  constructor(
    private readonly model: TrainableModel,
    private readonly options: TrainingSessionOptions,
  ) {
    this.cut = cutOf(options.microBatchSize);
    if (choiceOf(options).name === "lorafa") this.thaw = freezeFirstFactors(model);
  }

  /** Updates made so far. */
  get step(): number {
    return this.updates;
  }

  /**
   * Forward and backward pass in training mode. Gradients are added to those of earlier calls since the last update.
   * @param inputs with labels
   * @throws GraftError for inputs that do not fit the model, `invalid-argument` without labels
   */
  forwardBackward(inputs: ModelInputs, options: ForwardBackwardOptions = {}): Promise<ForwardBackwardResult> {
    return this.inOrder(async () => {
      if (inputs.labels === undefined) {
        throw new GraftError(
          "invalid-argument",
          `a training batch without labels (${Object.keys(inputs).join(", ")})`,
          "Give every training row a label.",
        );
      }
      return this.pass(this.model.prepareInputs(inputs), options);
    });
  }

  /** `forwardBackward` of a batch that the model has checked already. */
  forwardBackwardPrepared(
    inputs: PreparedInputs,
    options: ForwardBackwardOptions = {},
  ): Promise<ForwardBackwardResult> {
    return this.inOrder(() => this.pass(inputs, options));
  }

  private async pass(given: PreparedInputs, { weight = 1 }: ForwardBackwardOptions): Promise<ForwardBackwardResult> {
    const prepared = this.withLoss(given);
    const start = platform.now();
    await this.choosePrecision(given);
    const program = await this.model.runner.trainingProgram(prepared.rules);
    const compileMs = program.program === this.program?.program ? 0 : platform.now() - start;
    this.program = program;
    this.optimizer ??= await this.createOptimizer(await this.model.runner.engine());
    const masks = { seed: this.options.seed ?? 42, step: this.updates, microStep: this.microStep };
    const size = sizeOf(given);
    const items = itemsOf(this.model, given.feeds.labels);
    let loss = 0;
    let engineMs = 0;
    for (let first = 0, rows = 0; first < size.rows; first += rows) {
      rows = this.cut.next(size.rows - first, size);
      const isWhole = rows === size.rows;
      const piece = isWhole ? prepared : this.withLoss(pieceOf(given, first, rows));
      const share = isWhole ? 1 : itemsOf(this.model, piece.feeds.labels) / items;
      // Ignored rows alone have no mean.
      if (share === 0) continue;
      const result = await program.accumulate(piece.feeds, {
        masks: { ...masks, firstRow: first },
        weight: weight * share,
      });
      loss += share * result.loss;
      engineMs += result.timing.engineMs;
      await this.cut.done(rows, size, result.timing.engineMs / 1000);
    }
    this.microStep++;
    return { loss, engineMs, compileMs };
  }

  /** With what the loss needs besides the batch. */
  private withLoss(inputs: PreparedInputs): PreparedInputs {
    return lossInputs(this.model.network, inputs, this.options);
  }

  /** Copies of the gradients added up since the last update, by parameter name. */
  gradients(): Promise<Record<string, TensorData>> {
    return this.inOrder(async () => this.program?.gradients() ?? {});
  }

  /**
   * Clips the gradients, updates the parameters and clears the gradients. Methods that adapt themselves in training
   * (AdaLoRA's ranks) do so here.
   * @returns the global norm before clipping
   * @throws GraftError `not-finite` (the parameters stay as they are), `invalid-argument` without gradients or for a
   *   learning rate or norm that is no finite number
   */
  optimizerStep(options: OptimizerStepOptions): Promise<{ gradNorm: number }> {
    return this.inOrder(async () => {
      if (this.optimizer === undefined) {
        throw new GraftError("invalid-argument", "there are no gradients yet", "Call forwardBackward first.");
      }
      const result = await stepWithMethods(this.model, this.optimizer, this.updates, options);
      this.updates++;
      this.microStep = 0;
      return result;
    });
  }

  /** Forgets the gradients added up so far. */
  zeroGrad(): Promise<void> {
    return this.inOrder(async () => {
      await this.optimizer?.zeroGrad();
      this.microStep = 0;
    });
  }

  /** A copy of the optimiser's state; undefined before the first batch. */
  state(): Promise<OptimizerState | undefined> {
    return this.inOrder(async () => this.pendingState ?? (await this.optimizer?.state()));
  }

  /** Goes on from a state; dropout masks go on from its number of updates. */
  loadState(state: OptimizerState): Promise<void> {
    return this.inOrder(async () => {
      if (this.optimizer === undefined) this.pendingState = state;
      else await this.optimizer.loadState(state);
      this.updates = state.step;
      this.microStep = 0;
    });
  }

  /** Copies trained values from the worker into the model's parameters. Saving a model does so by itself. */
  sync(): Promise<void> {
    return this.inOrder(() => this.model.runner.syncFromEngine());
  }

  /**
   * Frees the optimiser's state and the gradients in the worker. The model keeps its trained weights and is used on as
   * before. `model.dispose()` frees them as well, so a program that trains once needs no more than that.
   */
  dispose(): Promise<void> {
    if (this.isDisposed) return this.turn.ended();
    const freed = this.inOrder(async () => {
      const optimizer = this.optimizer;
      this.optimizer = undefined;
      this.pendingState = undefined;
      await optimizer?.dispose();
      this.thaw();
    });
    this.isDisposed = true;
    return freed;
  }

  /** Runs an action after those asked for before it. @throws GraftError `invalid-argument` after `dispose` */
  private inOrder<T>(action: () => Promise<T>): Promise<T> {
    if (this.isDisposed) return Promise.reject(disposedError());
    return this.turn.take(action);
  }

  /** Before the first program: the model may have been trained otherwise before. */
  private async choosePrecision(batch: PreparedInputs): Promise<void> {
    if (this.program !== undefined) return;
    const { frozenPrecision: asked = "f32", seed = 42 } = this.options;
    const precision = typeof asked === "string" ? frozenPrecisions[asked]() : asked;
    await precision.prepare(this.model, batch, { seed, step: 0, microStep: 0 });
  }

  private async createOptimizer(engine: EngineScope): Promise<OptimizerHandle> {
    const { weightDecay = 0, loraplus } = this.options;
    const { name, ...settings } = choiceOf(this.options);
    const parameters = optimizedParameters(this.model, weightDecay, loraplus);
    const handle = await engine.createOptimizer({ optimizer: name, ...settings, parameters } as OptimizerOptions);
    // Sums that an interrupted loop left behind do not belong to this one.
    await handle.zeroGrad();
    try {
      if (this.pendingState) await handle.loadState(this.pendingState);
    } catch (error) {
      await handle.dispose();
      throw error;
    }
    this.pendingState = undefined;
    return handle;
  }
}

function disposedError(): GraftError {
  return new GraftError(
    "invalid-argument",
    "this training session was disposed",
    "Make a new one with createTrainingSession; state() and loadState carry the optimiser's state over.",
  );
}

/**
 * Prepares a model for a training loop of one's own. The engine starts at once, so that it is ready for the first
 * batch; nothing is compiled before that.
 * @throws GraftError `invalid-argument` for a model without trainable parameters, and for LoRA+ and LoRA-FA without LoRA
 */
export function createTrainingSession(model: TrainableModel, options: TrainingSessionOptions = {}): TrainingSession {
  if (!model.namedParameters().some(([, parameter]) => parameter.trainable)) {
    throw new GraftError(
      "invalid-argument",
      "the model has no trainable parameters",
      "Adapt it with getPeftModel, or load the adapter with isTrainable: true.",
    );
  }
  if (options.loraplus) requireFactors(model, "LoRA+");
  if (choiceOf(options).name === "lorafa") requireFactors(model, "LoRA-FA");
  void model.runner.engine();
  return new TrainingSession(model, options);
}
