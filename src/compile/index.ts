export { type ExportRequest, encodeExport } from "./export.js";
export { type FrozenLowering, type FrozenProducts, float32Products } from "./frozen-products.js";
export { GraphEngine, type GraphEngineOptions, type GraphProgram } from "./graph-engine.js";
export { defineProgram, measuredOutputs, type ProgramRequest } from "./program.js";
export { SharedEngine } from "./shared-engine.js";
