export { clipCoefficient, globalNorm } from "./gradient-norm.js";
export { optimizers } from "./registry.js";
export { requireRange } from "./require-range.js";
export type * from "./types.js";
