import type { LoraConfig } from "./tuners/registry.js";

export {
  AutoPeftClass,
  AutoPeftModel,
  AutoPeftModelForCausalLM,
  AutoPeftModelForFeatureExtraction,
  AutoPeftModelForImageClassification,
  AutoPeftModelForSequenceClassification,
  AutoPeftModelForTokenClassification,
  type AutoPeftOptions,
} from "./auto.js";
export { type AdapterConfig, type AutoMapping, configClass, type OnWarning } from "./config/config-class.js";
export { type TaskType, taskTypes } from "./config/task-types.js";
export type { CountOptions } from "./counts.js";
export { exportOnnx } from "./export.js";
export { AdapterFolder } from "./folder/adapter-folder.js";
export type { SaveOptions } from "./folder/save-adapter.js";
export type { MergeOptions } from "./host/merging.js";
export * as lora from "./loralib/index.js";
export type { Patterns } from "./matching/patterns.js";
export { PeftConfig } from "./peft-config.js";
export { getPeftModel, type LoadAdapterOptions, PeftModel, type PeftOptions } from "./peft-model.js";
export { peftTypes } from "./peft-types.js";
/** What `new LoraConfig` takes. */
export type LoraConfigOptions = NonNullable<ConstructorParameters<typeof LoraConfig>[0]>;
export type { CombinationType } from "./combination.js";
export {
  getPeftModelStateDict,
  type PeftStateDict,
  type StateDictOptions,
  setPeftModelStateDict,
} from "./state-dict.js";
export type { AfterStep, FactorPair, Host, Injection, StepTensors, TrainedGroup, Tuner } from "./tuner.js";
export { TunerLayer } from "./tuner-layer.js";
export {
  AdaLoraConfig,
  AdapterDropConfig,
  BitFitConfig,
  FullConfig,
  FullTopConfig,
  HoulsbyConfig,
  IA3Config,
  LinConfig,
  LNTuningConfig,
  LoHaConfig,
  LoKrConfig,
  LoraConfig,
  PfeifferConfig,
  PreEmbedConfig,
  PrefixTuningConfig,
  PreLayerConfig,
  PromptEncoderConfig,
  PromptTuningConfig,
  registerTuner,
  tuners,
  VeraConfig,
} from "./tuners/registry.js";
export type { WeightedAdapterOptions } from "./weighted-adapter.js";
