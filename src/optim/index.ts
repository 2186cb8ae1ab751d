export { clipCoefficient, globalNorm } from "./gradient-norm.js";
export { optimizers } from "./registry.js";
export type * from "./types.js";
