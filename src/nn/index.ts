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
export { LayerNorm } from "./layer-norm.js";
export { Linear, type LinearLike, type LinearOptions } from "./linear.js";
export { Module } from "./module.js";
export { ModuleList } from "./module-list.js";
export {
  type Adjustment,
  Parameter,
  type ParameterOptions,
  type ParameterSource,
  type StorageDType,
} from "./parameter.js";
export { type MaskSite, type Mode, Trace } from "./trace.js";
export { innermost, Wrapper } from "./wrapper.js";
