export { type ExportRequest, encodeExport } from "./export.js";
export { type FrozenLowering, type FrozenProducts, float32Products } from "./frozen-products.js";
export { defineProgram, measuredOutputs, type ProgramRequest } from "./program.js";
