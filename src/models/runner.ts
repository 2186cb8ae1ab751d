import { defineProgram, type FrozenProducts, float32Products, type ProgramRequest } from "../compile/index.js";
import type { Tensor } from "../graph/index.js";
import { type Mode, type Parameter, Trace } from "../nn/index.js";
import {
  type EngineScope,
  LazyScope,
  type Program,
  type ProgramDefinition,
  type Purpose,
  type ScopeOptions,
} from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import { Turn } from "../turn.js";
import { BoundProgram } from "./bound-program.js";
import { requireUnchanged } from "./file-source.js";
import type { Network } from "./network.js";
import { NetworkResidents } from "./network-residents.js";
import type { PreparedInputs } from "./prepare-inputs.js";
import { type CachedProgram, disposePrograms, ProgramCache } from "./program-cache.js";
import { signatureOf } from "./signature.js";
import { StepPrograms } from "./step-programs.js";
import { traceNetwork } from "./trace-network.js";

/** A graph over a network that keeps state in the engine between its runs. */
export interface StatefulGraph {
  /** Tells graphs of one network apart. */
  readonly name: string;
  readonly purpose: Purpose;
  /** Writes it. Outputs that `state` names stay in the engine; inputs that their slots name are fed from there. */
  write(trace: Trace): {
    readonly outputs: Readonly<Record<string, Tensor>>;
    readonly state: NonNullable<ProgramDefinition["state"]>;
  };
}

const purposes = { train: "training", eval: "prediction" } as const satisfies Readonly<Record<Mode, string>>;

/**
 * Runs a network: has a place in an engine (opened with the first run), compiles a program for each combination of
 * inputs, and keeps the engine's resident tensors up to date.
 *
 * A call computes with the network as it is at the moment of the call: what it needs of modules, scalars and parameters
 * is taken before anything is awaited, and calls reach the engine in the order in which they are made.
 *
 * Until training begins, predictions take all weights as fixed; from the first training program on, trainable
 * parameters live in the engine, and every program reads them there.
 */
export class Runner {
  private readonly scope: LazyScope;
  private readonly programs = new ProgramCache();
  private readonly stateful = new ProgramCache();
  private readonly residents: NetworkResidents;
  private readonly turn = new Turn();
  /** What runs between an update and the clearing of its gradients. */
  readonly afterSteps: StepPrograms;
  private isTraining = false;
  private frozen = float32Products;
  private evaluatesAsTrained = false;

  constructor(
    private readonly network: Network,
    options: ScopeOptions = {},
  ) {
    this.scope = new LazyScope(options);
    this.residents = new NetworkResidents(network);
    this.afterSteps = new StepPrograms({
      residents: this.residents,
      backend: this.scope.backend,
      engine: () => this.engine(),
      inOrder: (action) => this.turn.take(action),
    });
  }

  /** Its place in the engine; opened on first use. */
  engine(): Promise<EngineScope> {
    return this.scope.get();
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
    // Programs from before training hold the trainable parameters as they were.
    const freed = this.isTraining ? undefined : this.releasePrograms();
    this.isTraining = true;
    const [program] = await Promise.all([this.inTurn("train", rules, (program) => program), freed]);
    return program;
  }

  /** How training programs keep and multiply frozen weights from now on. Evaluation and `compute` are always float32. */
  async setFrozenProducts(products: FrozenProducts): Promise<void> {
    this.frozen = products;
    await this.releasePrograms();
  }

  /** Whether training programs multiply by frozen weights as they are. */
  get trainsInFloat32(): boolean {
    return this.frozen === float32Products;
  }

  /** Lets evaluations within the callback multiply by frozen weights as training does, instead of in float32. */
  async withTrainingPrecision<T>(callback: () => Promise<T>): Promise<T> {
    this.evaluatesAsTrained = true;
    try {
      return await callback();
    } finally {
      this.evaluatesAsTrained = false;
    }
  }

  /**
   * Runs a graph over the network's parameters, such as they are now, in float32; nothing of it is kept.
   * @param write the outputs by name. Elements that are still to be made must have been settled.
   */
  async compute(write: (trace: Trace) => Record<string, Tensor>): Promise<Record<string, TensorData>> {
    const trace = new Trace("eval", !this.isTraining);
    const { compiled } = this.define("eval", trace, write(trace), float32Products);
    const state = this.residents.takeParameters(fedParameters(trace));
    const engine = this.engine();
    const { answer } = await this.turn.take(async () => {
      await this.residents.send(engine, state);
      const program = await compiled;
      return { answer: program.run({}, { bind: state.bind }).finally(() => program.dispose()) };
    });
    return await answer;
  }

  /**
   * The program of a graph with state (a step of generation), with the network as it is now; resident tensors are up to
   * date after it. The residents of its state are the caller's.
   */
  async statefulProgram({ name, purpose, write }: StatefulGraph): Promise<BoundProgram> {
    for (const parameter of this.unsettled()) await parameter.settle();
    const key = `${name}|${signatureOf(this.network, "eval", (one) => this.isFed(one))}`;
    const { program, outdated } = this.stateful.use("eval", key, () => {
      const trace = new Trace("eval", !this.isTraining);
      const { outputs, state } = write(trace);
      return this.define("eval", trace, outputs, float32Products, { purpose, state });
    });
    return this.whenReady(program, outdated, (bound) => bound);
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
    await this.turn.take(async () => copy(await engine));
  }

  /** Frees what the engine holds of parameters that no program needs for now; they are sent again when one does. */
  async evict(parameters: readonly Parameter[]): Promise<void> {
    const names = this.residents.forget(parameters.map(({ name }) => name));
    if (!this.scope.isOpen || names.length === 0) return;
    const engine = this.engine();
    await this.turn.take(async () => (await engine).removeResident(names));
  }

  /** Frees all programs; the next call makes those that it needs. Trained values stay in the engine. */
  releasePrograms(): Promise<void> {
    const programs = [...this.programs.clear(), ...this.stateful.clear()];
    return this.turn.take(() => disposePrograms(programs));
  }

  /**
   * Copies trained values out, then gives the place in the engine back, and ends an engine of its own. The next run
   * opens another one.
   */
  async dispose(): Promise<void> {
    // An engine that has failed holds nothing any more.
    await this.syncFromEngine().catch(() => {});
    const disposed = this.scope.dispose();
    this.programs.clear();
    this.stateful.clear();
    this.afterSteps.clear();
    this.residents.clear();
    this.isTraining = false;
    await disposed;
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
    for (const parameter of this.unsettled()) await parameter.settle();
    const frozen = mode === "train" || this.evaluatesAsTrained ? this.frozen : float32Products;
    const inputs = rules.map(([name, rule]) => `${name}:${rule.dtype}`).join();
    const key = `${frozen.key}:${inputs}|${signatureOf(this.network, mode, (one) => this.isFed(one))}`;
    const { program, outdated } = this.programs.use(mode, key, () => this.compile(mode, rules, frozen));
    return this.whenReady(program, outdated, use);
  }

  /** Whether programs read a parameter from the engine's residents. */
  private isFed({ residency, trainable }: Parameter): boolean {
    return residency === "slot" || (trainable && this.isTraining);
  }

  /** Parameters whose elements wait to be made; where there are none, a call takes all it needs before it waits. */
  private unsettled(): Parameter[] {
    return [...this.network.parametersInForce()].filter((parameter) => parameter.isUnsettled);
  }

  /** Uses a program with the network's tensors as they are now, after all calls made before. */
  private async whenReady<T>(
    program: CachedProgram,
    outdated: readonly CachedProgram[],
    use: (program: BoundProgram) => T,
  ): Promise<Awaited<T>> {
    const state = this.residents.take(program.fedNames);
    const engine = this.engine();
    const { answer } = await this.turn.take(async () => {
      await disposePrograms(outdated);
      // The engine compiles while the tensors are gathered.
      await this.residents.send(engine, state);
      const bound = new BoundProgram(await program.compiled, state.bind);
      // In an object: the calls behind this one do not wait for its answer, so that an abort can still drop them.
      return { answer: use(bound) };
    });
    return await answer;
  }

  private compile(mode: Mode, rules: PreparedInputs["rules"], frozen: FrozenProducts): CachedProgram {
    const { trace, outputs } = traceNetwork(this.network, mode, rules, !this.isTraining);
    return this.define(mode, trace, outputs, frozen);
  }

  private define(
    mode: Mode,
    trace: Trace,
    outputs: Readonly<Record<string, Tensor>>,
    frozen: FrozenProducts,
    special: Partial<Pick<ProgramRequest, "purpose" | "state">> = {},
  ): CachedProgram {
    const sources = [...trace.parameters.keys()]
      .filter((parameter) => !trace.isFed(parameter) && parameter.adjustments.length === 0)
      .map(({ source }) => source);
    const make = async (): Promise<Program> => {
      // The engine starts while the graph is written.
      const starting = this.engine();
      const definition = defineProgram({
        trace,
        outputs,
        purpose: purposes[mode],
        backend: this.scope.backend,
        ...(mode === "train" ? { loss: "loss" } : {}),
        frozen,
        ...special,
      });
      const engine = await starting;
      await requireUnchanged(sources);
      return engine.compile(definition, { onProgress: frozen.onProgress });
    };
    return { compiled: make(), fedNames: new Set(fedParameters(trace).map(({ inputName }) => inputName)) };
  }
}

/** The parameters that runs of a trace's program read from the engine's residents. */
function fedParameters(trace: Trace): Parameter[] {
  return [...trace.parameters.keys()].filter((parameter) => trace.isFed(parameter));
}
