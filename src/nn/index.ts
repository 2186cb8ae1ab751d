export { type ActivationName, activationNames, activations } from "./activations.js";
export { type AttentionOptions, attend, paddingBias } from "./attention.js";
export { Embedding } from "./embedding.js";
export {
  type Initializer,
  kaimingUniform,
  normal,
  ones,
  parameterRandom,
  truncatedNormal,
  uniform,
  zeros,
} from "./init.js";
export type { OutliersByProduct } from "./int8-weights.js";
export { LayerNorm } from "./layer-norm.js";
export { Linear, type LinearLike, type LinearOptions } from "./linear.js";
export { Module } from "./module.js";
export { ModuleList } from "./module-list.js";
export { Parameter, type ParameterSource } from "./parameter.js";
export {
  defineExport,
  defineProgram,
  type ExportRequest,
  type FrozenPrecision,
  measuredOutputs,
  type ProgramRequest,
} from "./program.js";
export { type MaskSite, type Mode, Trace } from "./trace.js";
