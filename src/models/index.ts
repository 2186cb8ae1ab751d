export type { Architecture, ConfigOptions, Head } from "./architecture.js";
export {
  AutoClass,
  AutoModel,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  architectures,
  type FromConfigOptions,
  type FromPretrainedOptions,
  type ModelType,
  modelTypes,
} from "./auto.js";
export { Callable } from "./callable.js";
export { configToWrite, type ModelConfig, type ProblemType } from "./config.js";
export { exportModel } from "./export.js";
export {
  type InputName,
  type InputRule,
  inputNames,
  type ModelInputs,
  type NestedNumbers,
  type OutputName,
  outputNames,
} from "./inputs.js";
export type { LabelMaps, LabelOptions } from "./labels.js";
export { formatLoadingReport, type LoadingReport, listSome, type MismatchedKey } from "./loading-report.js";
export { modulePaths, type NameVersion, toV4Name, toV5Name } from "./module-names.js";
export { type Guest, Network, type NetworkInputs, type NetworkOutputs } from "./network.js";
export { type PreparedInputs, prepareInputs } from "./prepare-inputs.js";
export {
  type BaseModelOutputs,
  type ClassifierOutputs,
  type ModelOutputs,
  namedOutputs,
  PreTrainedModel,
} from "./pretrained-model.js";
export { BoundProgram, type ProductProbe, Runner } from "./runner.js";
export { readParameter, readSource, saveNetwork } from "./saving.js";
export { traceNetwork } from "./trace-network.js";
