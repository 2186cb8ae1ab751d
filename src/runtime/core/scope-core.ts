import { GraftError } from "../../errors.js";
import { type OptimizerName, type OptimizerSettings, optimizers } from "../../optim/index.js";
import type { Session } from "../backends/types.js";
import { copyTensor } from "../copy-tensor.js";
import type { Binding, ProgramDefinition } from "../definition.js";
import type {
  AccumulateResult,
  Counters,
  Feeding,
  OptimizerOptions,
  Params,
  Result,
  TensorRecord,
} from "../protocol.js";
import { GradientAccumulators } from "./accumulators.js";
import { OptimizerCore } from "./optimizer.js";
import { ProgramCore } from "./program.js";
import { ResidentTensors } from "./residents.js";

/** What one scope owns in the worker: programs, resident tensors, gradient sums and optimisers. */
export class ScopeCore {
  readonly residents = new ResidentTensors();
  readonly counters: { -readonly [K in keyof Counters]: Counters[K] } = { sessions: 0, bytesUploaded: 0, runs: 0 };
  private readonly accumulators = new GradientAccumulators();
  private readonly programs = new Map<number, ProgramCore>();
  private readonly optimizers = new Map<number, OptimizerCore>();
  private nextId = 1;

  /** @returns the program's number */
  addProgram(definition: ProgramDefinition, session: Session): number {
    const program = this.nextId++;
    this.programs.set(program, new ProgramCore(definition, session, this.residents, this.accumulators));
    this.counters.sessions++;
    return program;
  }

  run(program: number, feeding: Feeding, fetch: readonly string[] | undefined): Promise<TensorRecord> {
    this.counters.runs++;
    return this.program(program).run(feeding, fetch);
  }

  accumulate(program: number, feeding: Feeding, weight: number, fetch: readonly string[]): Promise<AccumulateResult> {
    this.counters.runs++;
    return this.program(program).accumulate(feeding, weight, fetch);
  }

  /** Copies of the sums. */
  gradients(program: number, binding: Binding | undefined): TensorRecord {
    const copies: TensorRecord = {};
    for (const name of this.program(program).gradientNames(binding)) {
      const sum = this.accumulators.get(name);
      if (sum !== undefined) copies[name] = copyTensor(sum);
    }
    return copies;
  }

  async disposeProgram(program: number): Promise<void> {
    const core = this.programs.get(program);
    this.programs.delete(program);
    await core?.release();
  }

  setResident(tensors: TensorRecord): void {
    for (const { data } of Object.values(tensors)) this.counters.bytesUploaded += data.byteLength;
    this.residents.set(tensors);
  }

  /** Copies. */
  getResident(names: readonly string[] = this.residents.names()): TensorRecord {
    return Object.fromEntries(names.map((name) => [name, copyTensor(this.residents.get(name))]));
  }

  removeResident(names: readonly string[]): void {
    this.residents.remove(names);
    this.accumulators.clear(names);
  }

  /** @returns the optimiser's number */
  addOptimizer({ optimizer: name, parameters, ...given }: OptimizerOptions): number {
    if (!Object.hasOwn(optimizers, name)) {
      throw new GraftError(
        "invalid-argument",
        `there is no optimiser "${name}"`,
        `Known optimisers: ${Object.keys(optimizers).join(", ")}.`,
      );
    }
    const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const settings = { ...optimizers[name].defaults, ...defined } as OptimizerSettings[OptimizerName];
    const core = new OptimizerCore(name, settings, parameters, this.residents, this.accumulators);
    const optimizer = this.nextId++;
    this.optimizers.set(optimizer, core);
    return optimizer;
  }

  optimizer(id: number): OptimizerCore {
    const optimizer = this.optimizers.get(id);
    if (optimizer === undefined) throw gone("optimiser");
    return optimizer;
  }

  /** One update, then the programs that see its gradients, clipped; then those are cleared. */
  async step({ optimizer, learningRate, maxGradNorm, after }: Params<"step">): Promise<Result<"step">> {
    const core = this.optimizer(optimizer);
    for (const { program, ...feeding } of after) this.program(program).check(feeding);
    const taken = core.takeStep(learningRate, maxGradNorm, after.length > 0);
    try {
      for (const { program, ...feeding } of after) await this.run(program, feeding, []);
    } finally {
      core.zeroGrad();
    }
    return taken;
  }

  disposeOptimizer(id: number): void {
    const core = this.optimizers.get(id);
    this.optimizers.delete(id);
    // Sums that another optimiser waits for stay.
    const awaited = new Set([...this.optimizers.values()].flatMap(({ parameterNames }) => parameterNames));
    const ended = core?.parameterNames.filter((name) => !awaited.has(name)) ?? [];
    if (ended.length > 0) this.accumulators.clear(ended);
  }

  /** Frees the sessions; the rest goes with the scope. */
  async dispose(): Promise<void> {
    for (const program of this.programs.values()) await program.release();
    this.programs.clear();
  }

  private program(id: number): ProgramCore {
    const program = this.programs.get(id);
    if (program === undefined) throw gone("program");
    return program;
  }
}

export function gone(what: string): GraftError {
  return new GraftError("invalid-argument", `this ${what} was disposed`, "Make a new one.");
}
