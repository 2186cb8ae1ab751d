/** Parameters as those above models see them: what is trained, by name. */
export type { Parameter } from "../nn/index.js";
export { type Architecture, type ConfigOptions, type HeadName, headNames, headOfClass, heads } from "./architecture.js";
export {
  AutoClass,
  AutoConfig,
  AutoModel,
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  AutoModelForTokenClassification,
  architectures,
  autoClasses,
  type FromConfigOptions,
  type FromPretrainedOptions,
  type ModelType,
  modelTypes,
} from "./auto.js";
export { BoundProgram } from "./bound-program.js";
export { matchNames } from "./checkpoint-names.js";
export { configToWrite, floatKeys, type ModelConfig } from "./config.js";
export { causalLMOf, type Decoding, decodingOf } from "./decoding.js";
export { type ExportedAdapters, exportModel } from "./export.js";
export { resolveProblemType } from "./heads/classification.js";
export type { GivenLabels, Head, LabelRule } from "./heads/head.js";
export type { ModelInputs, NestedNumbers } from "./inputs.js";
export type { LabelMaps, LabelOptions } from "./labels.js";
export { formatLoadingReport, type LoadingReport, listSome, type MismatchedKey } from "./loading-report.js";
export { type LossOptions, lossInputs } from "./loss-inputs.js";
export { type ModulePaths, type NameScheme, type NameVersion, oneSpelling, twoSpellings } from "./module-names.js";
export { type Guest, Network } from "./network.js";
export { type NetworkInputs, type NetworkOutputs, type Port, type Ports, portsOf } from "./ports.js";
export { type InputPorts, type PreparedInputs, prepareInputs } from "./prepare-inputs.js";
export {
  type BaseModelOutputs,
  type CausalLMOutputs,
  type ClassifierOutputs,
  type ForwardOptions,
  type ModelOutputs,
  namedOutputs,
  PreTrainedModel,
} from "./pretrained-model.js";
export { Runner } from "./runner.js";
export { readParameter, readSource, saveNetwork, saveNetworkWith } from "./saving.js";
export { traceNetwork } from "./trace-network.js";
