export type { OutliersByProduct } from "./int8-weights.js";
export {
  defineExport,
  defineProgram,
  type ExportRequest,
  type FrozenPrecision,
  measuredOutputs,
  type ProgramRequest,
} from "./program.js";
