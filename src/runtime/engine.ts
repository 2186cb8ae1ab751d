import { platform } from "#platform";
import type { ProductMeasurement } from "../onnx/index.js";
import { requireRange } from "../optim/index.js";
import type { TensorData } from "../tensor-data.js";
import { WorkerClient } from "./client.js";
import { copyTensor } from "./copy-tensor.js";
import { defaultBackend } from "./default-backend.js";
import type { BackendName, Binding, MaskKey, ProgramDefinition, QuantizedData } from "./definition.js";
import { packTensors } from "./pack.js";
import type {
  AccumulateResult,
  Counters,
  OptimizerOptions,
  OptimizerState,
  QuantizeProgress,
  TensorRecord,
} from "./protocol.js";

export interface EngineOptions {
  /** Default "cpu" in Node, "wasm" in the browser. */
  readonly backend?: BackendName;
  /** Threads of one product. Default: all that the machine runs at once. Results are the same bits for the same number. */
  readonly threads?: number;
  /** The built worker module, where a bundler moved it away from this one. */
  readonly workerUrl?: URL;
  /**
   * Folder (URL, with its last slash) of onnxruntime-web's .mjs and .wasm files. In the browser more than one thread is
   * used only when it is given and the page is cross-origin isolated.
   */
  readonly wasmPaths?: string;
  /**
   * Folder for ONNX Runtime's profiles, made where missing: one file of Chrome's trace format for each program
   * (`training-1_<time>.json`), complete once the program or the engine is disposed. Node's "cpu", "webgpu" and "cuda"
   * only. Default: no profile.
   */
  readonly profileFolder?: string;
}

type Tensors = Readonly<Record<string, TensorData>>;

export interface RunOptions {
  /** Needed by programs with dropout masks. */
  readonly masks?: MaskKey;
  /** Which resident tensor fills a slot. A slot that is not named is filled by the resident of its own name. */
  readonly bind?: Binding | undefined;
  /** Outputs to return. Default: all for `run`, none besides the loss for `accumulate`. */
  readonly fetch?: readonly string[];
  /** Move the inputs' buffers to the worker instead of copying them; they are empty afterwards. */
  readonly transfer?: boolean;
  readonly signal?: AbortSignal;
}

export interface AccumulateOptions extends RunOptions {
  /** Factor on the gradients, e.g. 1 / number of micro-batches. Default 1. */
  readonly weight?: number;
}

export interface StepOptions {
  readonly learningRate: number;
  /** Gradients of a larger global norm are scaled down to it. Default 0: no clipping. */
  readonly maxGradNorm?: number;
}

export interface CompileOptions {
  /** Told about every half second how far the int8 weights are; of a shorter wait nothing is told. */
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined;
}

function copyBytes(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

function copyQuantized(quantized: QuantizedData): QuantizedData {
  const { source } = quantized;
  return source.kind === "file" ? quantized : { ...quantized, source: { ...source, data: copyTensor(source.data) } };
}

/**
 * One worker with its sessions, resident tensors, gradient sums and optimisers. Calls are carried out in the order in
 * which they are made; the calling thread stays free meanwhile.
 */
export class Engine {
  private constructor(
    private readonly client: WorkerClient,
    readonly backend: BackendName,
    readonly threads: number,
  ) {}

  /**
   * Starts the worker and loads ONNX Runtime in it.
   * @throws GraftError `invalid-argument` for threads that are no count, `engine` when the backend cannot be loaded, `unsupported` when this world has no such backend
   * or it writes no profiles, `file-access` when the folder of the profiles cannot be made.
   */
  static async create(options: EngineOptions = {}): Promise<Engine> {
    const { backend = defaultBackend, threads = platform.cpuCount(), wasmPaths, profileFolder } = options;
    requireRange(Number.isSafeInteger(threads) && threads >= 1, "threads", threads, "a whole number, one or more");
    const client = new WorkerClient(options.workerUrl ?? new URL("./worker.js", import.meta.url));
    try {
      const opened = await client.call("open", { backend, threads, wasmPaths, profileFolder });
      return new Engine(client, backend, opened.threads);
    } catch (error) {
      await client.dispose();
      throw error;
    }
  }

  /**
   * Makes a graph ready to run. `definition` is copied (mounted data too) and may be reused.
   * @throws GraftError `engine` for a graph that ONNX Runtime refuses, `invalid-argument` for a definition that does
   * not describe its graph.
   */
  async compile(definition: ProgramDefinition, options: CompileOptions = {}): Promise<Program> {
    const { model, externalData, quantizedData } = definition;
    const owned: ProgramDefinition = {
      ...definition,
      model: copyBytes(model),
      ...(externalData && { externalData: externalData.map(({ path, data }) => ({ path, data: copyBytes(data) })) }),
      ...(quantizedData && { quantizedData: quantizedData.map(copyQuantized) }),
    };
    const { program } = await this.client.call("compile", { definition: owned }, options);
    return new Program(this.client, program, definition);
  }

  /** Puts tensors (or replaces them) into the worker, where programs that name them find them. Copied unless `transfer`. */
  async setResident(tensors: Tensors, options: { readonly transfer?: boolean } = {}): Promise<void> {
    await this.client.call("setResident", { tensors: packTensors(tensors, options.transfer ?? false) });
  }

  /** Copies of resident tensors; all of them by default. @throws GraftError `missing-tensor` */
  getResident(names?: readonly string[]): Promise<TensorRecord> {
    return this.client.call("getResident", { names });
  }

  /** Forgets resident tensors and their gradients; unknown names are fine. */
  async removeResident(names: readonly string[]): Promise<void> {
    await this.client.call("removeResident", { names });
  }

  /** An optimiser over resident f32 tensors, with PyTorch's defaults. @throws GraftError `missing-tensor`, `invalid-argument` */
  async createOptimizer(options: OptimizerOptions): Promise<OptimizerHandle> {
    const { optimizer } = await this.client.call("createOptimizer", { options });
    return new OptimizerHandle(this.client, optimizer);
  }

  /** What was done so far. */
  counters(): Promise<Counters> {
    return this.client.call("counters", undefined);
  }

  /** Whether it was disposed or its worker has failed: no call will be answered any more. */
  get hasEnded(): boolean {
    return this.client.hasEnded;
  }

  /** Rejects what waits (`aborted`), lets the run in progress end, and frees everything. */
  dispose(): Promise<void> {
    return this.client.dispose();
  }
}

/** A compiled graph in the worker. */
export class Program {
  readonly outputs: readonly string[];
  /** The inputs that resident tensors fill. */
  readonly slots: readonly string[];
  /** Outputs that measure products. */
  readonly probes: readonly ProductMeasurement[];

  /** @internal Made by `Engine.compile`. */
  constructor(
    private readonly client: WorkerClient,
    private readonly id: number,
    { outputs, resident, probes = [] }: ProgramDefinition,
  ) {
    this.outputs = outputs;
    this.slots = resident;
    this.probes = probes;
  }

  /**
   * Runs the graph.
   * @returns the outputs by name; their arrays belong to the caller.
   * @throws GraftError `invalid-argument`, `dtype-mismatch` or `shape-mismatch` for inputs that do not fit, `missing-tensor`
   * for a slot whose resident was not set, `aborted`, `engine`.
   */
  async run(inputs: Tensors, options: RunOptions = {}): Promise<TensorRecord> {
    const { masks, bind, fetch, transfer = false, signal } = options;
    const params = { program: this.id, inputs: packTensors(inputs, transfer), masks, bind, fetch };
    return this.client.call("run", params, { signal });
  }

  /**
   * Runs forward and backward. The gradients, times `weight`, are added to the worker's sums, which all programs share,
   * under the names of the residents that fill the trained slots.
   * After an abort the sums may hold part of a batch: call `zeroGrad`.
   */
  async accumulate(inputs: Tensors, options: AccumulateOptions = {}): Promise<AccumulateResult> {
    const { masks, bind, fetch = [], weight = 1, transfer = false, signal } = options;
    const params = { program: this.id, inputs: packTensors(inputs, transfer), masks, bind, weight, fetch };
    return this.client.call("accumulate", params, { signal });
  }

  /** Copies of the gradient sums of the residents that fill this program's trained slots, by resident name. */
  gradients(bind?: Binding): Promise<TensorRecord> {
    return this.client.call("gradients", { program: this.id, bind });
  }

  /** Frees the session. Once more, or after its engine: nothing happens. */
  async dispose(): Promise<void> {
    if (!this.client.hasEnded) await this.client.call("disposeProgram", { program: this.id });
  }
}

/** An optimiser in the worker. */
export class OptimizerHandle {
  /** @internal Made by `Engine.createOptimizer`. */
  constructor(
    private readonly client: WorkerClient,
    private readonly id: number,
  ) {}

  /**
   * Clips, updates the resident tensors that have gradients, and clears their sums.
   * @returns the global norm before clipping.
   * @throws GraftError `not-finite` when the norm or a loss since the last step is not, `invalid-argument` for options
   * that are no finite numbers of zero or more, or without gradients; parameters, state and sums stay.
   */
  step({ learningRate, maxGradNorm = 0 }: StepOptions): Promise<{ gradNorm: number }> {
    return this.client.call("step", { optimizer: this.id, learningRate, maxGradNorm });
  }

  /** Clears the gradient sums of this optimiser's parameters. */
  async zeroGrad(): Promise<void> {
    await this.client.call("zeroGrad", { optimizer: this.id });
  }

  /** A copy of the state, for checkpoints. */
  state(): Promise<OptimizerState> {
    return this.client.call("optimizerState", { optimizer: this.id });
  }

  /**
   * Goes on from a state.
   * @throws GraftError `invalid-argument` for one of another optimiser, of other parameters or of some alone, or with a
   * step that is no count; the state then stays as it was.
   */
  async loadState(state: OptimizerState): Promise<void> {
    const tensors = packTensors(state.tensors, false) as OptimizerState["tensors"];
    await this.client.call("loadOptimizerState", { optimizer: this.id, state: { ...state, tensors } });
  }

  /**
   * Frees the state, and the gradient sums that no other optimiser trains on. The trained tensors stay. Once more, or
   * after its engine: nothing happens.
   */
  async dispose(): Promise<void> {
    if (!this.client.hasEnded) await this.client.call("disposeOptimizer", { optimizer: this.id });
  }
}
