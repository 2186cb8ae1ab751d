export { defaultBackend } from "./default-backend.js";
export type * from "./definition.js";
export { Engine, type EngineOptions, openScope, type ScopeOptions, scopeOptions } from "./engine.js";
export type { CompileOptions, EngineScope } from "./engine-scope.js";
export { LazyScope } from "./lazy-scope.js";
export type { AfterStep, OptimizerHandle, StepOptions } from "./optimizer-handle.js";
export type { AccumulateOptions, Program, RunOptions } from "./program.js";
export type {
  AccumulateResult,
  Counters,
  OptimizedParameter,
  OptimizerOptions,
  OptimizerState,
  QuantizeProgress,
  TensorRecord,
} from "./protocol.js";
