export { cpuLowering } from "./cpu.js";
export {
  type Int8Weights,
  int8Lowering,
  int8ProbeLowering,
  type OutlierFeature,
  type ProductMeasurement,
} from "./int8.js";
export { type LoweringRequest, lowerGraph } from "./lower.js";
export { standardLowering } from "./standard.js";
export type { LoweringTable } from "./table.js";
export { webgpuLowering } from "./webgpu.js";
