export { cpuLowering } from "./cpu.js";
export {
  type FrozenProduct,
  type Int8Weights,
  int8Lowering,
  type QuantizedWeight,
  type WeightType,
  weightZeroPoint,
} from "./int8.js";
export { type OutlierFeature, outlierFeatures } from "./int8-outliers.js";
export { int8ProbeLowering, type ProductMeasurement } from "./int8-probe.js";
export { type LoweringRequest, lowerGraph } from "./lower.js";
export { standardLowering } from "./standard.js";
export type { LoweringTable } from "./table.js";
export { webgpuLowering } from "./webgpu.js";
