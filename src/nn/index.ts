export { type ActivationName, activationNames, activations } from "./activations.js";
export { arange } from "./arange.js";
export {
  type AttentionOptions,
  attend,
  attendTwo,
  joinHeads,
  repeatHeads,
  scores,
  splitHeads,
  weigh,
} from "./attention.js";
export { AttentionMask, type AttentionMaskOptions } from "./attention-mask.js";
export { Cache, type CacheOptions } from "./cache.js";
export { Conv1D } from "./conv1d.js";
export { Embedding, type EmbeddingLike } from "./embedding.js";
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
export { Linear, type LinearOptions } from "./linear.js";
export { type LinearLike, MatrixLayer } from "./matrix-layer.js";
export { Module } from "./module.js";
export { ModuleList } from "./module-list.js";
export {
  type Adjustment,
  Parameter,
  type ParameterOptions,
  type ParameterSource,
  type StorageDType,
} from "./parameter.js";
export { PatchProjection } from "./patch-projection.js";
export { byToken, type RelativeDistances, RelativePositions, relativeRow } from "./relative-positions.js";
export { RMSNorm } from "./rms-norm.js";
export { type RotaryFrequencies, type Rotation, rotate, rotationOf } from "./rotary.js";
export { SequenceConvolution } from "./sequence-convolution.js";
export {
  type Attachment,
  type Embedded,
  type HalfOutput,
  insertTokens,
  type KeysValues,
  layerSites,
  placesIn,
  prependKeysValues,
  prependTokens,
  type SiteName,
  Sites,
  type SiteValues,
  type TransformerLayer,
} from "./sites.js";
export { type LayerPast, Past, Stream } from "./stream.js";
export { elementsOf, type MaskSite, type Mode, Trace } from "./trace.js";
export { type OwnTokens, ownTokens, predictingTokens, type VirtualPlaces } from "./virtual-tokens.js";
export { innermost, Wrapper } from "./wrapper.js";
