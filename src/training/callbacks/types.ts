import type { TrainingArguments } from "../arguments/index.js";
import type { CallbackState, LogEntry, TrainerState } from "../checkpoints/state.js";

/** What a callback may ask of the trainer. */
export interface TrainerControl {
  /** Ends the run after this update. Stays set. */
  shouldTrainingStop: boolean;
  /** Goes on with the next epoch. */
  shouldEpochStop: boolean;
  /** These three hold for the current update. */
  shouldLog: boolean;
  shouldEvaluate: boolean;
  shouldSave: boolean;
}

export function newControl(): TrainerControl {
  return {
    shouldTrainingStop: false,
    shouldEpochStop: false,
    shouldLog: false,
    shouldEvaluate: false,
    shouldSave: false,
  };
}

/** What every callback is given. */
export interface CallbackEvent {
  readonly args: TrainingArguments;
  readonly state: Readonly<TrainerState>;
  readonly control: TrainerControl;
}

/** Where a run stands, for a progress display. */
export interface Progress {
  /** "quantize": frozen matrices are rounded to int8, before the first update. */
  readonly phase: "train" | "evaluate" | "predict" | "quantize";
  /** Updates made in training; batches in evaluations; matrices. */
  readonly done: number;
  /** Updates, batches or matrices in all; null where the data does not tell its length. */
  readonly total: number | null;
  readonly epoch: number;
  /** Of the last update, before the next log averages it. */
  readonly loss: number | null;
  readonly learningRate: number | null;
  readonly gradNorm: number | null;
  /** Seconds per update, batch or matrix, averaged over the last ones; evaluations in between left out. */
  readonly secondsPerStep: number | null;
  readonly samplesPerSecond: number | null;
  /** Seconds until `total`; null while unknown. */
  readonly secondsLeft: number | null;
  /** Resident bytes of the process; null where the platform does not tell. */
  readonly memoryBytes: number | null;
}

/**
 * Listens to a run, and may steer it through `control`. Every method is optional; promises are awaited. Order within an
 * update: onStepBegin, onSubstepEnd (after each micro-batch but the last), onStepEnd, onLog, onEvaluate, onSave.
 */
export interface TrainerCallback {
  /** The name under which `state` is kept in checkpoints; needed together with it. */
  readonly name?: string;
  onTrainBegin?(event: CallbackEvent): void | Promise<void>;
  onEpochBegin?(event: CallbackEvent): void | Promise<void>;
  onStepBegin?(event: CallbackEvent): void | Promise<void>;
  onSubstepEnd?(event: CallbackEvent): void | Promise<void>;
  onStepEnd?(event: CallbackEvent): void | Promise<void>;
  onLog?(event: CallbackEvent & { readonly logs: LogEntry }): void | Promise<void>;
  onEvaluate?(event: CallbackEvent & { readonly metrics: LogEntry }): void | Promise<void>;
  onPredict?(event: CallbackEvent & { readonly metrics: LogEntry }): void | Promise<void>;
  onSave?(event: CallbackEvent & { readonly checkpoint: string }): void | Promise<void>;
  onEpochEnd?(event: CallbackEvent): void | Promise<void>;
  onTrainEnd?(event: CallbackEvent & { readonly metrics: LogEntry }): void | Promise<void>;
  /**
   * In place of onTrainEnd, when the run ends with an error (of a callback, of the data, a loss that is not finite, ...).
   * `train` throws that error afterwards; what this method throws is dropped.
   */
  onTrainError?(event: CallbackEvent & { readonly error: unknown }): void | Promise<void>;
  /** After each update, after each batch of an evaluation, and now and then while int8 weights are made. */
  onProgress?(event: CallbackEvent & { readonly progress: Progress }): void | Promise<void>;
  /** What a checkpoint should keep for this callback. */
  saveState?(): CallbackState;
  /** Takes up what `saveState` gave, when a run is resumed. */
  restoreState?(state: CallbackState): void;
}

type Listener = {
  [K in keyof TrainerCallback]-?: K extends `on${string}` ? K : never;
}[keyof TrainerCallback];

/** Names of the listening methods. */
export type CallbackMethod = Listener;
/** What a listening method adds to `CallbackEvent`. */
export type CallbackExtra<M extends CallbackMethod> = Omit<
  Parameters<NonNullable<TrainerCallback[M]>>[0],
  keyof CallbackEvent
>;
