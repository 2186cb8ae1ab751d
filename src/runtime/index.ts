export { defaultBackend } from "./default-backend.js";
export type * from "./definition.js";
export {
  type AccumulateOptions,
  type CompileOptions,
  Engine,
  type EngineOptions,
  type OptimizerHandle,
  type Program,
  type RunOptions,
  type StepOptions,
} from "./engine.js";
export type {
  AccumulateResult,
  Counters,
  OptimizedParameter,
  OptimizerOptions,
  OptimizerState,
  QuantizeProgress,
  TensorRecord,
} from "./protocol.js";
