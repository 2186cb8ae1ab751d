import { defineProgram, type FrozenPrecision, measuredOutputs } from "../compile/index.js";
import type { Tensor } from "../graph/index.js";
import { type Mode, type Parameter, Trace } from "../nn/index.js";
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
import { requireUnchanged } from "./file-source.js";
import type { Network } from "./network.js";
import { NetworkResidents } from "./network-residents.js";
import type { PreparedInputs } from "./prepare-inputs.js";
import { signatureOf } from "./signature.js";
import { StepPrograms } from "./step-programs.js";
import { traceNetwork } from "./trace-network.js";

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
  /** Names of the inputs that resident tensors fill. */
  readonly fedNames: ReadonlySet<string>;
}

/** A program with the residents that filled its slots when it was asked for. */
export class BoundProgram {
  constructor(
    /** The same for as long as nothing was compiled anew. */
    readonly program: Program,
    private readonly bind: Readonly<Record<string, string>>,
  ) {}

  /** As `Program.run`. */
  run(...[inputs, options]: Parameters<Program["run"]>): ReturnType<Program["run"]> {
    return this.program.run(inputs, { ...options, bind: this.bind });
  }

  /** As `Program.accumulate`. */
  accumulate(...[inputs, options]: Parameters<Program["accumulate"]>): ReturnType<Program["accumulate"]> {
    return this.program.accumulate(inputs, { ...options, bind: this.bind });
  }

  /** Copies of the gradient sums of the trained parameters, by name. */
  gradients(): ReturnType<Program["gradients"]> {
    return this.program.gradients(this.bind);
  }
}

/** Programs that are kept at most; each training program holds on to the memory of its largest step. */
const mostPrograms: { readonly [M in Mode]: number } = { train: 2, eval: 4 };

async function disposeEntry({ compiled }: CacheEntry): Promise<void> {
  // A failure to compile was told where the program was asked for.
  const finished = await compiled.catch(() => undefined);
  await finished?.dispose();
}

/**
 * Runs a network: owns the engine (started with the first run, shared by all programs), compiles a program for each
 * combination of inputs, and keeps the engine's resident tensors up to date.
 *
 * A call computes with the network as it is at the moment of the call: what it needs of modules, scalars and parameters
 * is taken before anything is awaited, and calls reach the engine in the order in which they are made.
 *
 * Until training begins, predictions take all weights as fixed; from the first training program on, trainable
 * parameters live in the engine, and every program reads them there.
 */
export class Runner {
  /** Told how far the int8 weights are that a program waits for, where that takes a while. */
  onQuantize: ((progress: QuantizeProgress) => void) | undefined;
  private starting: Promise<Engine> | undefined;
  private readonly cache = new Map<string, CacheEntry>();
  private readonly residents: NetworkResidents;
  /** What runs between an update and the clearing of its gradients. */
  readonly afterSteps: StepPrograms;
  private last: Promise<unknown> = Promise.resolve();
  private isTraining = false;
  private precision: FrozenPrecision | undefined;
  private evaluatesAsTrained = false;

  constructor(
    private readonly network: Network,
    private readonly options: EngineOptions = {},
  ) {
    this.residents = new NetworkResidents(network);
    this.afterSteps = new StepPrograms({
      residents: this.residents,
      backend: options.backend ?? defaultBackend,
      engine: () => this.engine(),
      inOrder: (action) => this.inOrder(action),
    });
  }

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
    return this.inTurn("eval", rules, (program) => program.run(feeds, signal ? { signal } : {}));
  }

  /** The program of an evaluation pass (no dropout) for inputs of these kinds; resident tensors are up to date after it. */
  async evaluationProgram(rules: PreparedInputs["rules"]): Promise<BoundProgram> {
    return this.inTurn("eval", rules, (program) => program);
  }

  /**
   * The program of a training step: dropout acts, outputs are loss and logits, gradients of all trainable parameters.
   * The rules must hold labels. Call it again after parameters were changed from outside.
   */
  async trainingProgram(rules: PreparedInputs["rules"]): Promise<BoundProgram> {
    return this.trainingTurn(rules, (program) => program);
  }

  /** How training programs multiply by frozen weights from now on; undefined: in float32. Evaluation is always float32. */
  async setFrozenPrecision(precision: FrozenPrecision | undefined): Promise<void> {
    this.precision = precision;
    await this.releasePrograms();
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
    const { probes, measured } = await this.trainingTurn(rules, async (program) => {
      const { probes } = program.program;
      const fetch = measuredOutputs(probes);
      return { probes, measured: fetch.length > 0 ? await program.run(feeds, { masks, fetch }) : {} };
    });
    await this.setFrozenPrecision(undefined);
    const numbers = (output: string) => (measured[output] as TensorData<"float32">).data;
    return probes.map(({ product, error, outliers }) => {
      const features = outliers ? outlierFeatures(numbers(outliers.featureSquares)) : [];
      const apart =
        outliers && features.length > 0 ? { features, error: Number(numbers(outliers.error)[0]) } : undefined;
      return { product, error: Number(numbers(error)[0]), ...(apart && { outliers: apart }) };
    });
  }

  /**
   * Runs a graph over the network's parameters, such as they are now; nothing of it is kept.
   * @param write the outputs by name. Elements that are still to be made must have been settled.
   */
  async compute(write: (trace: Trace) => Record<string, Tensor>): Promise<Record<string, TensorData>> {
    const trace = new Trace("eval", !this.isTraining);
    const entry = this.define(trace, write(trace), "prediction", undefined);
    const fed = [...trace.parameters.keys()].filter((parameter) => trace.isFed(parameter));
    const state = this.residents.takeParameters(fed);
    const engine = this.engine();
    const { answer } = await this.inOrder(async () => {
      await this.residents.send(engine, state);
      const program = await entry.compiled;
      return { answer: program.run({}, { bind: state.bind }).finally(() => program.dispose()) };
    });
    return await answer;
  }

  /** The trainable parameters that live in the engine; none before the first training program. */
  trainedParameters(): Parameter[] {
    if (!this.isTraining) return [];
    const parameters = [...this.network.parametersInForce()];
    return parameters.filter((parameter) => parameter.trainable && this.residents.holds(parameter));
  }

  /** Copies trained values from the engine into the parameters; without training there is nothing to copy. */
  async syncFromEngine(): Promise<void> {
    const changed = [...this.trainedParameters(), ...this.afterSteps.written()];
    if (changed.length === 0) return;
    const copy = this.residents.copyBack(changed);
    const engine = this.engine();
    await this.inOrder(async () => copy(await engine));
  }

  /** Frees what the engine holds of parameters that no program needs for now; they are sent again when one does. */
  async evict(parameters: readonly Parameter[]): Promise<void> {
    const names = this.residents.forget(parameters.map(({ name }) => name));
    const engine = this.starting;
    if (engine && names.length > 0) await this.inOrder(async () => (await engine).removeResident(names));
  }

  /** Frees all programs; the next call makes those that it needs. Trained values stay in the engine. */
  releasePrograms(): Promise<void> {
    const entries = [...this.cache.values()];
    this.cache.clear();
    return this.inOrder(async () => {
      for (const entry of entries) await disposeEntry(entry);
    });
  }

  /** Copies trained values out, then ends the engine. The next run starts another one. */
  async dispose(): Promise<void> {
    // An engine that has failed holds nothing any more.
    await this.syncFromEngine().catch(() => {});
    const engine = this.starting;
    this.starting = undefined;
    this.cache.clear();
    this.afterSteps.clear();
    this.residents.clear();
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

  /** Does something after what was asked for before it. */
  private inOrder<T>(action: () => Promise<T>): Promise<T> {
    const result = this.last.then(action);
    this.last = result.catch(() => {});
    return result;
  }

  private async trainingTurn<T>(
    rules: PreparedInputs["rules"],
    use: (program: BoundProgram) => T,
  ): Promise<Awaited<T>> {
    // Programs from before training hold the trainable parameters as they were.
    const freed = this.isTraining ? undefined : this.releasePrograms();
    this.isTraining = true;
    const [answer] = await Promise.all([this.inTurn("train", rules, use), freed]);
    return answer;
  }

  /**
   * Uses the program for inputs of these kinds, with the network as it is now, after all calls made before.
   * @param use hands its work to the engine at once
   */
  private async inTurn<T>(
    mode: Mode,
    rules: PreparedInputs["rules"],
    use: (program: BoundProgram) => T,
  ): Promise<Awaited<T>> {
    const unsettled = [...this.network.parametersInForce()].filter((parameter) => parameter.isUnsettled);
    for (const parameter of unsettled) await parameter.settle();
    const precision = mode === "train" || this.evaluatesAsTrained ? this.precision : undefined;
    const isFed = (parameter: Parameter) => parameter.residency === "slot" || (parameter.trainable && this.isTraining);
    const inputs = rules.map(([name, rule]) => `${name}:${rule.dtype}`).join();
    const key = `${mode}:${precision?.kind ?? "f32"}:${inputs}|${signatureOf(this.network, mode, isFed)}`;
    const known = this.cache.get(key);
    const entry = known ?? this.compile(mode, rules, precision);
    const outdated = this.remember(mode, key, entry);
    const state = this.residents.take(entry.fedNames);
    const engine = this.engine();
    const { answer } = await this.inOrder(async () => {
      for (const old of outdated) await disposeEntry(old);
      // The engine compiles while the tensors are gathered.
      await this.residents.send(engine, state);
      const program = new BoundProgram(await entry.compiled, state.bind);
      // In an object: the calls behind this one do not wait for its answer, so that an abort can still drop them.
      return { answer: use(program) };
    });
    return await answer;
  }

  /**
   * Keeps a program as the last one used. A compilation that fails is not remembered: the next call tries again.
   * @returns programs that have not been used for longest, and are too many
   */
  private remember(mode: Mode, key: string, entry: CacheEntry): CacheEntry[] {
    const isNew = !this.cache.delete(key);
    this.cache.set(key, entry);
    if (!isNew) return [];
    // The failure reaches whoever awaits the program; until then it must not count as unhandled.
    entry.compiled.catch(() => {
      if (this.cache.get(key) === entry) this.cache.delete(key);
    });
    const ofMode = [...this.cache.keys()].filter((other) => other.startsWith(`${mode}:`));
    return ofMode.slice(0, Math.max(ofMode.length - mostPrograms[mode], 0)).flatMap((old) => {
      const outdated = this.cache.get(old);
      this.cache.delete(old);
      return outdated ? [outdated] : [];
    });
  }

  private compile(
    mode: Mode,
    rules: PreparedInputs["rules"],
    frozenPrecision: FrozenPrecision | undefined,
  ): CacheEntry {
    const { trace, outputs } = traceNetwork(this.network, mode, rules, !this.isTraining);
    return this.define(trace, outputs, mode === "train" ? "training" : "prediction", frozenPrecision);
  }

  private define(
    trace: Trace,
    outputs: Record<string, Tensor>,
    purpose: "training" | "prediction",
    frozenPrecision: FrozenPrecision | undefined,
  ): CacheEntry {
    const fed = [...trace.parameters.keys()].filter((parameter) => trace.isFed(parameter));
    const sources = [...trace.parameters.keys()]
      .filter((parameter) => !trace.isFed(parameter) && parameter.adjustments.length === 0)
      .map(({ source }) => source);
    const make = async (): Promise<Program> => {
      // The engine starts while the graph is written.
      const starting = this.engine();
      const definition = defineProgram({
        trace,
        outputs,
        purpose,
        backend: this.options.backend ?? defaultBackend,
        ...(purpose === "training" ? { loss: "loss" } : {}),
        ...(frozenPrecision ? { frozenPrecision } : {}),
      });
      const engine = await starting;
      await requireUnchanged(sources);
      return engine.compile(definition, { onProgress: (progress) => this.onQuantize?.(progress) });
    };
    return { compiled: make(), fedNames: new Set(fed.map(({ inputName }) => inputName)) };
  }
}
