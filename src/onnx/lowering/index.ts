export { cpuLowering } from "./cpu.js";
export { type LoweringRequest, lowerGraph } from "./lower.js";
export { standardLowering } from "./standard.js";
export type { LoweringTable } from "./table.js";
export { webgpuLowering } from "./webgpu.js";
