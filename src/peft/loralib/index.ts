export { Conv2d, type Conv2dOptions } from "./conv2d.js";
export { Embedding, type EmbeddingOptions } from "./embedding.js";
export { Linear, type LinearOptions } from "./linear.js";
export { LoRALayer, type LoRALayerOptions } from "./lora-layer.js";
export { MergedLinear, type MergedLinearOptions } from "./merged-linear.js";
export { type Net, namedParameters } from "./named-parameters.js";
export { type LoraBias, loraStateDict, markOnlyLoraAsTrainable } from "./utils.js";
