import type { ProductMeasurement } from "../onnx/index.js";
import type { TensorData } from "../tensor-data.js";
import type { Binding, MaskKey, ProgramDefinition } from "./definition.js";
import { packTensors } from "./pack.js";
import type { AccumulateResult, RunParams, TensorRecord } from "./protocol.js";
import type { ScopeClient } from "./scope-client.js";

type Tensors = Readonly<Record<string, TensorData>>;

export interface RunOptions {
  /** Needed by programs with dropout masks. */
  readonly masks?: MaskKey;
  /** Which resident tensor fills a slot. A slot that is not named is filled by the resident of its own name. */
  readonly bind?: Binding | undefined;
  /** Where state that is written into its residents begins, along its axis. Needed by programs with such state. */
  readonly stateOffset?: number | undefined;
  /** Outputs to return. Default: all for `run`, none besides the loss for `accumulate`. */
  readonly fetch?: readonly string[];
  readonly signal?: AbortSignal;
}

export interface AccumulateOptions extends RunOptions {
  /** Factor on the gradients, e.g. 1 / number of micro-batches. Default 1. */
  readonly weight?: number;
}

/** A compiled graph in the worker. */
export class Program {
  /** Outputs that a run may return. */
  readonly outputs: readonly string[];
  /** What a run may bind: the inputs that resident tensors fill, and the places that state goes to. */
  readonly slots: readonly string[];
  /** Outputs that measure products. */
  readonly probes: readonly ProductMeasurement[];

  /** @internal Made by `EngineScope.compile`. */
  constructor(
    /** @internal */
    readonly client: ScopeClient,
    private readonly id: number,
    { outputs, resident, probes = [], state = {} }: ProgramDefinition,
  ) {
    this.outputs = outputs.filter((name) => !Object.hasOwn(state, name));
    this.slots = [...new Set([...resident, ...Object.values(state).map(({ slot }) => slot)])];
    this.probes = probes;
  }

  /**
   * Runs the graph. An aborted run that has begun is still finished, state and all.
   * @returns the outputs by name; their arrays belong to the caller.
   * @throws GraftError `invalid-argument`, `dtype-mismatch` or `shape-mismatch` for inputs that do not fit, `missing-tensor`
   * for a slot whose resident was not set, `aborted`, `engine`.
   */
  async run(inputs: Tensors, options: RunOptions = {}): Promise<TensorRecord> {
    const params = { ...this.request(inputs, options), fetch: options.fetch };
    return this.client.call("run", params, { signal: options.signal });
  }

  /**
   * Runs forward and backward. The gradients, times `weight`, are added to the sums that all programs of the scope
   * share, under the names of the residents that fill the trained slots.
   * After an abort the sums may hold part of a batch: call `zeroGrad`.
   */
  async accumulate(inputs: Tensors, options: AccumulateOptions = {}): Promise<AccumulateResult> {
    const { fetch = [], weight = 1, signal } = options;
    return this.client.call("accumulate", { ...this.request(inputs, options), weight, fetch }, { signal });
  }

  /** @internal A run as the worker is asked for it. */
  request(inputs: Tensors, { masks, bind, stateOffset }: RunOptions): RunParams {
    return { program: this.id, inputs: packTensors(inputs), masks, bind, stateOffset };
  }

  /** Copies of the gradient sums of the residents that fill this program's trained slots, by resident name. */
  gradients(bind?: Binding): Promise<TensorRecord> {
    return this.client.call("gradients", { program: this.id, bind });
  }

  /** Frees the session. Once more, or after its scope or engine: nothing happens. */
  async dispose(): Promise<void> {
    if (!this.client.hasEnded) await this.client.call("disposeProgram", { program: this.id });
  }
}
