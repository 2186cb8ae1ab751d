export {
  argumentAliases,
  type TrainingArgumentName,
  TrainingArguments,
  type TrainingArgumentsOptions,
  type TrainingArgumentValues,
  trainingArgumentFields,
} from "./arguments/index.js";
export {
  type CallbackEvent,
  EarlyStoppingCallback,
  type EarlyStoppingOptions,
  EventLogCallback,
  PrinterCallback,
  type Progress,
  type TrainerCallback,
  type TrainerControl,
} from "./callbacks/index.js";
export { lastCheckpoint, type Savable } from "./checkpoints/checkpoint.js";
export type { LogEntry, TrainerState } from "./checkpoints/state.js";
export type { ModelCardOptions } from "./hub/model-card.js";
export type { PushRunOptions } from "./hub/push-run.js";
export {
  accuracy,
  argMax,
  type Entity,
  type EntityScore,
  type Evaluation,
  entitiesOf,
  entityScores,
  evaluateMetrics,
  type F1Average,
  f1,
  type Metric,
  type MetricInput,
  type MetricInputs,
  type MetricKind,
  type MetricName,
  matthewsCorrelation,
  metricNames,
  metrics,
  pearson,
  seqeval,
  type TagSequences,
} from "./metrics/index.js";
export { type LoadableMetric, type LoadedMetric, loadMetric } from "./metrics/load-metric.js";
export {
  type BatchCut,
  MeasuredCut,
  type MeasuredCutOptions,
  type MicroBatchReport,
  microBatchFile,
  type PieceMeasurement,
} from "./micro-batches/index.js";
export type { TrainableModel } from "./model.js";
export type { DataCollator, DatasetLike } from "./run/batches.js";
export type { EvalPrediction } from "./run/evaluation-loop.js";
export type { StopReason, TrainOutput } from "./run/setup.js";
export { type ScheduleName, schedules } from "./schedules/index.js";
export {
  type ComputeMetrics,
  type EvaluateOptions,
  type PredictionOutput,
  Trainer,
  type TrainerOptions,
  type TrainOptions,
} from "./trainer.js";
export {
  createTrainingSession,
  type ForwardBackwardOptions,
  type ForwardBackwardResult,
  type OptimizerChoice,
  type OptimizerStepOptions,
  TrainingSession,
  type TrainingSessionOptions,
} from "./training-session.js";
export { requireWritable } from "./writable.js";
