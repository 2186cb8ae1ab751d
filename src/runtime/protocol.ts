import type { GraftErrorCode } from "../errors.js";
import type { OptimizerName, OptimizerSettings } from "../optim/index.js";
import type { TensorData } from "../tensor-data.js";
import type { BackendName, Binding, MaskKey, ProgramDefinition } from "./definition.js";

export type TensorRecord = Record<string, TensorData>;

export interface AccumulateResult {
  /** The loss as the graph gives it, before `weight`. May be NaN or infinite; the optimiser refuses the step then. */
  loss: number;
  /** The outputs named in `fetch`. */
  outputs: TensorRecord;
  /** Milliseconds inside ONNX Runtime, and in the worker altogether. */
  timing: { engineMs: number; totalMs: number };
}

/** One trained resident tensor. */
export interface OptimizedParameter {
  readonly name: string;
  readonly weightDecay: number;
  /** Factor on the learning rate. Default 1. */
  readonly learningRateScale?: number;
  /** The frozen resident [rank, ...] that this one is multiplied with, times a scale (LoRA's A for its B). */
  readonly factor?: { readonly partner: string; readonly scaling: number };
}

/** An optimiser's name, its settings (defaults: PyTorch's) and what it trains. */
export type OptimizerOptions = {
  [K in OptimizerName]: { readonly optimizer: K; readonly parameters: readonly OptimizedParameter[] } & Partial<
    OptimizerSettings[K]
  >;
}[OptimizerName];

/** What a checkpoint keeps of an optimiser: f32 tensors named `parameter.slot` and the number of steps taken. */
export interface OptimizerState {
  readonly optimizer: OptimizerName;
  readonly step: number;
  readonly tensors: Record<string, TensorData<"float32">>;
}

/** How far the engine is with the int8 weights that a program waits for. */
export interface QuantizeProgress {
  /** Matrices. */
  readonly done: number;
  readonly total: number;
  /** Since the first one was begun. */
  readonly seconds: number;
}

/** What an engine or a scope has done since it was made. */
export interface Counters {
  /** Programs compiled. */
  readonly sessions: number;
  /** Bytes of resident tensors sent to the worker. */
  readonly bytesUploaded: number;
  /** Passes through a program. */
  readonly runs: number;
}

/** Of the request's scope, or of all scopes. */
interface Extent {
  everywhere: boolean;
}

/** What one run feeds a program with. */
export interface Feeding {
  readonly inputs: TensorRecord;
  readonly masks: MaskKey | undefined;
  readonly bind: Binding | undefined;
  readonly stateOffset: number | undefined;
}

export type RunParams = Feeding & { program: number };

/** What the main thread can ask of the worker. */
export interface Protocol {
  open: {
    params: {
      backend: BackendName;
      threads: number;
      wasmPaths: string | undefined;
      profileFolder: string | undefined;
    };
    result: { threads: number };
  };
  compile: { params: { definition: ProgramDefinition }; result: { program: number } };
  run: {
    params: RunParams & { fetch: readonly string[] | undefined };
    result: TensorRecord;
  };
  accumulate: {
    params: RunParams & { weight: number; fetch: readonly string[] };
    result: AccumulateResult;
  };
  gradients: { params: { program: number; bind: Binding | undefined }; result: TensorRecord };
  disposeProgram: { params: { program: number }; result: undefined };
  setResident: { params: { tensors: TensorRecord }; result: undefined };
  getResident: { params: { names: readonly string[] | undefined }; result: TensorRecord };
  reorderResident: { params: { names: readonly string[]; indices: Int32Array; axis: number }; result: undefined };
  removeResident: { params: { names: readonly string[] }; result: undefined };
  createOptimizer: { params: { options: OptimizerOptions }; result: { optimizer: number } };
  step: {
    params: { optimizer: number; learningRate: number; maxGradNorm: number; after: readonly RunParams[] };
    result: { gradNorm: number };
  };
  zeroGrad: { params: { optimizer: number }; result: undefined };
  optimizerState: { params: { optimizer: number }; result: OptimizerState };
  loadOptimizerState: { params: { optimizer: number; state: OptimizerState }; result: undefined };
  disposeOptimizer: { params: { optimizer: number }; result: undefined };
  residentBytes: { params: Extent; result: { bytes: number } };
  counters: { params: Extent; result: Counters };
  disposeScope: { params: undefined; result: undefined };
  close: { params: undefined; result: undefined };
}

export type Method = keyof Protocol;
export type Params<M extends Method> = Protocol[M]["params"];
export type Result<M extends Method> = Protocol[M]["result"];

/** Main thread to worker. A request concerns one scope. One that is cancelled is dropped if it has not begun. */
export type ToWorker =
  | { [M in Method]: { kind: "request"; id: number; scope: number; method: M; params: Params<M> } }[Method]
  | { kind: "cancel"; id: number };

export interface PlainError {
  readonly code: GraftErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** Worker to main thread: any number of progress messages, then a result or an error. */
export type FromWorker =
  | { id: number; result: Result<Method> }
  | { id: number; error: PlainError }
  | { id: number; progress: QuantizeProgress };

/**
 * The buffers of every typed array in a message, to be moved instead of copied. A message owns all it holds, so whoever
 * sends arrays that stay in use copies them first.
 */
export function buffersIn(message: unknown, found: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  if (ArrayBuffer.isView(message)) {
    if (message.buffer instanceof ArrayBuffer) found.add(message.buffer);
  } else if (message !== null && typeof message === "object") {
    for (const value of Object.values(message)) buffersIn(value, found);
  }
  return found;
}
