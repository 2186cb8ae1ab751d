import type { LoraConfig } from "./tuners/registry.js";

export { type AdapterConfig, type AutoMapping, configClass, type OnWarning } from "./config/config-class.js";
export { readAdapterConfig } from "./config/read-config.js";
export { type TaskType, taskTypes } from "./config/task-types.js";
export type { CountOptions } from "./counts.js";
export { exportOnnx } from "./export.js";
export { findBaseModel } from "./folder/find-base-model.js";
export type { SaveOptions } from "./folder/save-adapter.js";
export type { MergeOptions } from "./host/merging.js";
export * as lora from "./loralib.js";
export type { Patterns } from "./matching/patterns.js";
export { getPeftModel, type LoadAdapterOptions, PeftModel, type PeftOptions } from "./peft-model.js";
/** What `new LoraConfig` takes. */
export type LoraConfigOptions = NonNullable<ConstructorParameters<typeof LoraConfig>[0]>;
export type { AfterStep, Host, Injection, StepTensors, TrainedGroup, Tuner } from "./tuner.js";
export { TunerLayer } from "./tuner-layer.js";
export {
  AdaLoraConfig,
  BitFitConfig,
  FullConfig,
  FullTopConfig,
  IA3Config,
  LNTuningConfig,
  LoHaConfig,
  LoKrConfig,
  LoraConfig,
  PfeifferConfig,
  PromptTuningConfig,
  registerTuner,
  tuners,
  VeraConfig,
} from "./tuners/registry.js";
