import type { Tensor } from "../graph/index.js";
import { defineProgram, type FrozenPrecision, type Mode, measuredOutputs, type Parameter, Trace } from "../nn/index.js";
import { type OutlierFeature, outlierFeatures } from "../onnx/index.js";
import {
  defaultBackend,
  Engine,
  type EngineOptions,
  type MaskKey,
  type Program,
  type QuantizeProgress,
} from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import { type InputName, inputNames, type OutputName, outputNames } from "./inputs.js";
import type { Network } from "./network.js";
import type { PreparedInputs } from "./prepare-inputs.js";
import { readParameter } from "./saving.js";

/** What a probe found out about one product with a frozen weight. */
export interface ProductProbe {
  readonly product: string;
  /** Relative L2 error of the int8 product. */
  readonly error: number;
  /** Forward products whose left operand has features far above the others. */
  readonly outliers?: {
    readonly features: readonly OutlierFeature[];
    /** The error with those set apart. */
    readonly error: number;
  };
}

interface CacheEntry {
  readonly compiled: Promise<Program>;
  /** Names of the resident scalars. */
  readonly scalars: readonly string[];
  readonly fedNames: ReadonlySet<string>;
  readonly fingerprint: readonly unknown[];
}

/**
 * All that the graph was made from: modules, parameters, and the elements that were built in. When one is no longer
 * the same, the program is out of date. Of a fed parameter only name, shape and trainability count, so that another
 * adapter's takes its place without a new program.
 */
function fingerprintOf(network: Network, fedNames: ReadonlySet<string>): unknown[] {
  const parts: unknown[] = [...network.modules()];
  for (const parameter of network.parameters()) {
    const { name, trainable, symbolicShape, override, source } = parameter;
    if (fedNames.has(name)) parts.push(name, trainable, symbolicShape.join());
    else parts.push(parameter, trainable, override, source);
  }
  return parts;
}

const isSame = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((part, position) => part === b[position]);

async function disposeEntry({ compiled }: CacheEntry): Promise<void> {
  // A failure to compile was told where the program was asked for.
  const finished = await compiled.catch(() => undefined);
  await finished?.dispose();
}

/** The elements that a parameter's resident tensor was made from. */
const contentOf = (parameter: Parameter): unknown => parameter.override ?? parameter.source;

/**
 * Runs a network: owns the engine (started with the first run, shared by all programs), compiles a program for each
 * combination of inputs, and keeps the engine's resident tensors up to date.
 *
 * Until training begins, predictions take all weights as fixed; from the first training program on, trainable
 * parameters live in the engine, and every program reads them there.
 */
export class Runner {
  /** Told how far the int8 weights are that a program waits for, where that takes a while. */
  onQuantize: ((progress: QuantizeProgress) => void) | undefined;
  private starting: Promise<Engine> | undefined;
  private readonly cache = new Map<string, CacheEntry>();
  private readonly uploaded = new Map<string, unknown>();
  private isTraining = false;
  private precision: FrozenPrecision | undefined;
  private evaluatesAsTrained = false;

  constructor(
    private readonly network: Network,
    private readonly options: EngineOptions = {},
  ) {}

  /** The engine; started on first use. */
  engine(): Promise<Engine> {
    if (this.starting === undefined) {
      this.starting = this.startEngine();
      // A failure reaches whoever awaits the engine; until then it must not count as unhandled.
      this.starting.catch(() => {});
    }
    return this.starting;
  }

  /** One evaluation pass. @returns outputs by graph name */
  async run({ feeds, rules }: PreparedInputs, signal?: AbortSignal): Promise<Readonly<Record<string, TensorData>>> {
    const program = await this.evaluationProgram(rules);
    return program.run(feeds, signal ? { signal } : {});
  }

  /** The program of an evaluation pass (no dropout) for inputs of these kinds; resident tensors are up to date after it. */
  async evaluationProgram(rules: PreparedInputs["rules"]): Promise<Program> {
    return this.program("eval", rules);
  }

  /**
   * The program of a training step: dropout acts, outputs are loss and logits, gradients of all trainable parameters.
   * The rules must hold labels. Call it again after parameters were changed from outside.
   */
  async trainingProgram(rules: PreparedInputs["rules"]): Promise<Program> {
    if (!this.isTraining) {
      await this.disposePrograms();
      this.isTraining = true;
    }
    return this.program("train", rules);
  }

  /** How training programs multiply by frozen weights from now on; undefined: in float32. Evaluation is always float32. */
  async setFrozenPrecision(precision: FrozenPrecision | undefined): Promise<void> {
    this.precision = precision;
    await this.disposePrograms();
  }

  /** Whether training programs multiply by frozen weights in int8. */
  get trainsInInt8(): boolean {
    return this.precision?.kind === "int8";
  }

  /** Lets evaluations within the callback use the training programs' precision instead of float32. */
  async withTrainingPrecision<T>(callback: () => Promise<T>): Promise<T> {
    this.evaluatesAsTrained = true;
    try {
      return await callback();
    } finally {
      this.evaluatesAsTrained = false;
    }
  }

  /**
   * Runs one training pass in float32 and compares each product with a frozen weight with its int8 form.
   * @param masks key of the dropout masks
   * @returns empty where nothing of some size is frozen
   */
  async probeFrozenProducts({ feeds, rules }: PreparedInputs, masks: MaskKey): Promise<ProductProbe[]> {
    await this.setFrozenPrecision({ kind: "int8-probe", keepFloat32: new Set() });
    const program = await this.trainingProgram(rules);
    const { probes } = program;
    const fetch = measuredOutputs(probes);
    const measured = fetch.length > 0 ? await program.run(feeds, { masks, fetch }) : {};
    await this.setFrozenPrecision(undefined);
    const numbers = (output: string) => (measured[output] as TensorData<"float32">).data;
    return probes.map(({ product, error, outliers }) => {
      const features = outliers ? outlierFeatures(numbers(outliers.featureSquares)) : [];
      const apart =
        outliers && features.length > 0 ? { features, error: Number(numbers(outliers.error)[0]) } : undefined;
      return { product, error: Number(numbers(error)[0]), ...(apart && { outliers: apart }) };
    });
  }

  /** The trainable parameters that live in the engine; none before the first training program. */
  trainedParameters(): Parameter[] {
    if (!this.isTraining) return [];
    return [...this.network.parameters()].filter(
      (parameter) => parameter.trainable && this.uploaded.get(parameter.name) === contentOf(parameter),
    );
  }

  /** Copies trained values from the engine into the parameters; without training there is nothing to copy. */
  async syncFromEngine(): Promise<void> {
    const trained = this.trainedParameters();
    if (trained.length === 0) return;
    const tensors = await (await this.engine()).getResident(trained.map((parameter) => parameter.name));
    for (const parameter of trained) {
      parameter.setData(tensors[parameter.name] as TensorData<"float32">);
      this.uploaded.set(parameter.name, contentOf(parameter));
    }
  }

  /**
   * Forgets all programs, for changes that cannot be seen from modules and parameters (which adapter is active).
   * Trained values stay in the engine.
   */
  async invalidate(): Promise<void> {
    await this.disposePrograms();
  }

  /** Ends the engine; trained values that were not copied are lost. The next run starts another one. */
  async dispose(): Promise<void> {
    const engine = this.starting;
    this.starting = undefined;
    this.cache.clear();
    this.uploaded.clear();
    this.isTraining = false;
    // One that could not start has nothing to end.
    await (await engine?.catch(() => undefined))?.dispose();
  }

  /** A start that failed is not remembered: the next call tries again. */
  private async startEngine(): Promise<Engine> {
    try {
      return await Engine.create(this.options);
    } catch (error) {
      this.starting = undefined;
      throw error;
    }
  }

  private async disposePrograms(): Promise<void> {
    const entries = [...this.cache.values()];
    this.cache.clear();
    for (const entry of entries) await disposeEntry(entry);
  }

  private async program(mode: Mode, rules: PreparedInputs["rules"]): Promise<Program> {
    const precision = mode === "train" || this.evaluatesAsTrained ? this.precision : undefined;
    const key = `${mode}:${precision?.kind ?? "f32"}:${rules.map(([name, rule]) => `${name}:${rule.dtype}`).join()}`;
    const old = this.cache.get(key);
    let entry = old && isSame(old.fingerprint, fingerprintOf(this.network, old.fedNames)) ? old : undefined;
    if (!entry) {
      entry = this.compile(mode, rules, precision);
      this.cache.set(key, entry);
      if (old) await disposeEntry(old);
    }
    // The engine compiles while the tensors are gathered.
    const [program] = await Promise.all([this.finished(key, entry), this.upload(entry.fedNames, entry.scalars)]);
    return program;
  }

  /** A compilation that failed is not remembered: the next call tries again. */
  private async finished(key: string, entry: CacheEntry): Promise<Program> {
    try {
      return await entry.compiled;
    } catch (error) {
      if (this.cache.get(key) === entry) this.cache.delete(key);
      throw error;
    }
  }

  private compile(
    mode: Mode,
    rules: PreparedInputs["rules"],
    frozenPrecision: FrozenPrecision | undefined,
  ): CacheEntry {
    const { trace, outputs } = traceNetwork(this.network, mode, rules, !this.isTraining);
    const fed = [...trace.parameters].filter(([, { origin }]) => origin.kind === "input");
    const fedNames = new Set(fed.map(([parameter]) => parameter.name));
    const make = async (): Promise<Program> => {
      // The engine starts while the graph is written.
      const starting = this.engine();
      const isTraining = mode === "train";
      const definition = defineProgram({
        trace,
        outputs,
        purpose: isTraining ? "training" : "prediction",
        backend: this.options.backend ?? defaultBackend,
        ...(isTraining ? { loss: outputNames.loss } : {}),
        ...(frozenPrecision ? { frozenPrecision } : {}),
      });
      return (await starting).compile(definition, { onProgress: (progress) => this.onQuantize?.(progress) });
    };
    const compiled = make();
    // The failure reaches whoever awaits the program; until then it must not count as unhandled.
    compiled.catch(() => {});
    return {
      compiled,
      scalars: [...trace.scalars.keys()],
      fedNames,
      fingerprint: fingerprintOf(this.network, fedNames),
    };
  }

  /** Sends the engine what has changed since it was last sent. */
  private async upload(fedNames: ReadonlySet<string>, scalars: readonly string[]): Promise<void> {
    const changed: Record<string, TensorData> = {};
    const sent = new Map<string, unknown>();
    for (const parameter of this.network.parameters()) {
      const content = contentOf(parameter);
      if (!fedNames.has(parameter.name) || this.uploaded.get(parameter.name) === content) continue;
      changed[parameter.name] = await readParameter(parameter);
      sent.set(parameter.name, content);
    }
    const values = new Map(scalars.length > 0 ? this.network.scalars() : []);
    for (const name of scalars) {
      const value = values.get(name) ?? 1;
      if (this.uploaded.get(name) === value) continue;
      changed[name] = { dtype: "float32", shape: [], data: Float32Array.of(value) };
      sent.set(name, value);
    }
    if (sent.size === 0) return;
    await (await this.engine()).setResident(changed);
    for (const [name, content] of sent) this.uploaded.set(name, content);
  }
}

/**
 * Writes a network's graph.
 * @param frozen take trainable parameters as fixed too
 * @returns the trace and its outputs by graph name
 */
export function traceNetwork(
  network: Network,
  mode: Mode,
  rules: PreparedInputs["rules"],
  frozen: boolean,
): { trace: Trace; outputs: Record<string, Tensor> } {
  const trace = new Trace(mode, frozen);
  const inputs: { [K in InputName]?: Tensor } = {};
  for (const [name, rule] of rules) inputs[name] = trace.input(inputNames[name], rule.dtype, rule.shape);
  const outputs: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(network.forward(trace, inputs)) as [OutputName, Tensor][]) {
    outputs[outputNames[name]] = tensor;
  }
  return { trace, outputs };
}
