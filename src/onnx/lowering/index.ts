export { cpuLowering } from "./cpu.js";
export { int8Lowering, int8ProbeLowering, type Int8Weights } from "./int8.js";
export { type LoweringRequest, lowerGraph } from "./lower.js";
export { standardLowering } from "./standard.js";
export type { LoweringTable } from "./table.js";
export { webgpuLowering } from "./webgpu.js";
