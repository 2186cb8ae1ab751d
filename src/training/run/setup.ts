import type { Dataset } from "../../data/index.js";
import type { FrozenPrecision } from "../../precision/index.js";
import type { TrainingArguments } from "../arguments/index.js";
import type { CallbackHandler, TrainerControl } from "../callbacks/index.js";
import type { ResumePoint, Savable } from "../checkpoints/checkpoint.js";
import type { CheckpointKeeper } from "../checkpoints/checkpoint-keeper.js";
import type { LogEntry, TrainerState } from "../checkpoints/state.js";
import type { BatchCut } from "../micro-batches/index.js";
import type { TrainableModel } from "../model.js";
import type { TrainingSession } from "../training-session.js";
import type { DataCollator } from "./batches.js";
import type { RunPlan } from "./plan.js";
import type { RunRecord } from "./run-record.js";

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

/** What the Trainer gives a run. Callbacks change `control`; the run writes `state`. */
export interface RunSetup<Row> {
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

/** What a run works with. */
export interface RunParts<Row = unknown> {
  readonly setup: RunSetup<Row>;
  readonly plan: RunPlan;
  readonly session: TrainingSession;
  readonly record: RunRecord;
  readonly keeper: CheckpointKeeper;
  readonly precision: FrozenPrecision;
  readonly cut: BatchCut;
}

export function isAborted({ signal }: Pick<RunSetup<unknown>, "signal">): boolean {
  return signal?.aborted ?? false;
}

/** Whether an abort has left an evaluation undone; a checkpoint that is due waits for it. */
export function isInterrupted(setup: Pick<RunSetup<unknown>, "signal" | "control">): boolean {
  return isAborted(setup) && setup.control.shouldEvaluate;
}
