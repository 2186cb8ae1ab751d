export { GraftError, type GraftErrorCode } from "./errors.js";
export {
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
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
  getPeftModel,
  type LoadAdapterOptions,
  LoraConfig,
  type LoraConfigOptions,
  lora,
  type MergeOptions,
  PeftModel,
  type PeftOptions,
  readAdapterConfig,
  type SaveOptions,
} from "./peft/index.js";
export * from "./training/index.js";
