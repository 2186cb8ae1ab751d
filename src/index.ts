export { platform } from "#platform";
export * from "./data/index.js";
export { GraftError, type GraftErrorCode } from "./errors.js";
export {
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  type BaseModelOutputs,
  type ClassifierOutputs,
  type FromConfigOptions,
  type FromPretrainedOptions,
  formatLoadingReport,
  type LoadingReport,
  type ModelConfig,
  type ModelInputs,
  type ModelOutputs,
  PreTrainedModel,
} from "./models/index.js";
export {
  AdaLoraConfig,
  type AdapterConfig,
  BitFitConfig,
  exportOnnx,
  FullConfig,
  FullTopConfig,
  findBaseModel,
  getPeftModel,
  IA3Config,
  LNTuningConfig,
  type LoadAdapterOptions,
  LoHaConfig,
  LoKrConfig,
  LoraConfig,
  type LoraConfigOptions,
  lora,
  type MergeOptions,
  PeftModel,
  type PeftOptions,
  PfeifferConfig,
  PromptTuningConfig,
  readAdapterConfig,
  registerTuner,
  type SaveOptions,
  type Tuner,
  VeraConfig,
} from "./peft/index.js";
export type { Platform } from "./platform/types.js";
export type { CounterRng } from "./random.js";
export {
  type CompleteRun,
  type ExecuteOptions,
  executeRun,
  type Notices,
  type PreparedRun,
  prepareRun,
  type Run,
  type RunOptions,
  type RunResult,
  readRunFile,
  runOf,
  type Setting,
} from "./runs/index.js";
export type { TensorData } from "./tensor-data.js";
export * from "./training/index.js";
