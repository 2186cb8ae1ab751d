import { requireRange } from "../optim/index.js";
import type { TensorData } from "../tensor-data.js";
import { copyTensor } from "./copy-tensor.js";
import type { BackendName, ProgramDefinition, QuantizedData } from "./definition.js";
import { OptimizerHandle } from "./optimizer-handle.js";
import { packTensors } from "./pack.js";
import { Program } from "./program.js";
import type { Counters, OptimizerOptions, QuantizeProgress, TensorRecord } from "./protocol.js";
import type { ScopeClient } from "./scope-client.js";

type Tensors = Readonly<Record<string, TensorData>>;

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
 * Programs, resident tensors, gradient sums and optimisers that know one another. Two scopes of one engine share its
 * worker and nothing else: their tensors may have the same names. Calls are carried out in the order in which they are
 * made, over all scopes; the calling thread stays free meanwhile.
 */
export class EngineScope {
  /** @internal Made by `Engine.scope`. */
  constructor(
    protected readonly client: ScopeClient,
    readonly backend: BackendName,
    readonly threads: number,
  ) {}

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

  /** Puts copies of tensors into the worker, where programs find them by name; one of the same name is replaced. */
  async setResident(tensors: Tensors): Promise<void> {
    await this.client.call("setResident", { tensors: packTensors(tensors) });
  }

  /** Copies of resident tensors; all of them by default. @throws GraftError `missing-tensor` */
  getResident(names?: readonly string[]): Promise<TensorRecord> {
    return this.client.call("getResident", { names });
  }

  /**
   * Picks slices of resident tensors along an axis, in place: beams in another order, a row several times or no more.
   * @throws GraftError `missing-tensor`, `invalid-argument` for indices outside a tensor; all tensors then stay
   */
  async reorderResident(names: readonly string[], indices: ArrayLike<number>, axis = 0): Promise<void> {
    const whole = Int32Array.from(indices);
    for (const [i, index] of whole.entries()) {
      requireRange(index === indices[i], `index ${i}`, indices[i], "a whole number");
    }
    await this.client.call("reorderResident", { names, indices: whole, axis });
  }

  /** Forgets resident tensors and their gradient sums, and frees their memory; unknown names are fine. */
  async removeResident(names: readonly string[]): Promise<void> {
    await this.client.call("removeResident", { names });
  }

  /** An optimiser over resident f32 tensors, with PyTorch's defaults. @throws GraftError `missing-tensor`, `invalid-argument` */
  async createOptimizer(options: OptimizerOptions): Promise<OptimizerHandle> {
    const { optimizer } = await this.client.call("createOptimizer", { options });
    return new OptimizerHandle(this.client, optimizer);
  }

  /** Bytes of the resident tensors. */
  async residentBytes(): Promise<number> {
    const { bytes } = await this.client.call("residentBytes", { everywhere: false });
    return bytes;
  }

  /** What was done so far. */
  counters(): Promise<Counters> {
    return this.client.call("counters", { everywhere: false });
  }

  /** Whether it was disposed or its worker has failed: no call will be answered any more. */
  get hasEnded(): boolean {
    return this.client.hasEnded;
  }

  /** Rejects what waits (`aborted`), lets the run in progress end, and frees what was made here. Other scopes go on. */
  dispose(): Promise<void> {
    return this.client.dispose();
  }
}
