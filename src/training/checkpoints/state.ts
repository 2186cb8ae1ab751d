import * as z from "zod";
import { checked } from "../../checked.js";
import { parseJson } from "../../json.js";

/** One entry of the log: numbers by name, with `step` and `epoch`. Names are those of transformers: loss, eval_loss, ... */
export type LogEntry = Readonly<Record<string, number>>;

/** What a callback keeps in checkpoints, in transformers' layout. */
export interface CallbackState {
  readonly args: Readonly<Record<string, unknown>>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Where a run stands. Callbacks may read it; the trainer alone changes it. */
export interface TrainerState {
  /** Passes over the training data so far, as a fraction. */
  epoch: number;
  /** Updates made. */
  globalStep: number;
  /** Updates in the whole run. */
  maxSteps: number;
  numTrainEpochs: number;
  trainBatchSize: number;
  /** Intervals in updates, after shares of the run are resolved. */
  loggingSteps: number;
  evalSteps: number;
  saveSteps: number;
  logHistory: LogEntry[];
  bestMetric: number | null;
  bestGlobalStep: number | null;
  /** Folder of the checkpoint of the best evaluation. */
  bestModelCheckpoint: string | null;
  statefulCallbacks: Record<string, CallbackState>;
}

export function newTrainerState(): TrainerState {
  return {
    epoch: 0,
    globalStep: 0,
    maxSteps: 0,
    numTrainEpochs: 0,
    trainBatchSize: 0,
    loggingSteps: 500,
    evalSteps: 500,
    saveSteps: 500,
    logHistory: [],
    bestMetric: null,
    bestGlobalStep: null,
    bestModelCheckpoint: null,
    statefulCallbacks: {},
  };
}

/** JSON has no NaN (a correlation of constants, say): it is written as null. */
const loggedNumber = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

const callbackState = z.object({
  args: z.record(z.string(), z.unknown()),
  attributes: z.record(z.string(), z.unknown()),
});

/** trainer_state.json as transformers writes it; what belongs to hardware or to searches is constant. */
const schema = z.object({
  best_global_step: z.int().nullable(),
  best_metric: z.number().nullable(),
  best_model_checkpoint: z.string().nullable(),
  epoch: z.number(),
  eval_steps: z.number(),
  global_step: z.int().gte(0),
  logging_steps: z.number(),
  log_history: z.array(z.record(z.string(), loggedNumber)),
  max_steps: z.int(),
  num_train_epochs: z.number(),
  save_steps: z.number(),
  stateful_callbacks: z.record(z.string(), callbackState),
  train_batch_size: z.int().nullable(),
});

/** The text of trainer_state.json, loadable by transformers. */
export function stateToJson(state: TrainerState): string {
  const written: z.input<typeof schema> & Record<string, unknown> = {
    best_global_step: state.bestGlobalStep,
    best_metric: state.bestMetric,
    best_model_checkpoint: state.bestModelCheckpoint,
    epoch: state.epoch,
    eval_steps: state.evalSteps,
    global_step: state.globalStep,
    is_hyper_param_search: false,
    is_local_process_zero: true,
    is_world_process_zero: true,
    log_history: state.logHistory,
    logging_steps: state.loggingSteps,
    max_steps: state.maxSteps,
    num_input_tokens_seen: 0,
    num_train_epochs: state.numTrainEpochs,
    save_steps: state.saveSteps,
    stateful_callbacks: state.statefulCallbacks,
    total_flos: 0,
    train_batch_size: state.trainBatchSize,
    trial_name: null,
    trial_params: null,
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

/**
 * Reads trainer_state.json.
 * @param where the file's path, for messages
 * @throws GraftError `invalid-json`, `invalid-config`
 */
export function stateFromJson(text: string, where: string): TrainerState {
  const hint = "Resume from a checkpoint folder that the Trainer wrote.";
  const data = checked(schema, parseJson(text, where), `${where} is not a trainer state`, hint);
  return {
    epoch: data.epoch,
    globalStep: data.global_step,
    maxSteps: data.max_steps,
    numTrainEpochs: data.num_train_epochs,
    trainBatchSize: data.train_batch_size ?? 0,
    loggingSteps: data.logging_steps,
    evalSteps: data.eval_steps,
    saveSteps: data.save_steps,
    logHistory: data.log_history,
    bestMetric: data.best_metric,
    bestGlobalStep: data.best_global_step,
    bestModelCheckpoint: data.best_model_checkpoint,
    statefulCallbacks: data.stateful_callbacks,
  };
}
