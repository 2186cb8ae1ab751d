import { backendRegistry } from "#backends";
import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { type OptimizerName, type OptimizerSettings, optimizers } from "../../optim/index.js";
import type { Backend } from "../backends/types.js";
import { copyTensor } from "../copy-tensor.js";
import type { BackendName, ProgramDefinition } from "../definition.js";
import type { OptimizerOptions, Params, Protocol, QuantizeProgress, Result, TensorRecord } from "../protocol.js";
import { GradientAccumulators } from "./accumulators.js";
import { checkDefinition } from "./check-definition.js";
import { withInt8Weights } from "./int8-weights-file.js";
import { OptimizerCore } from "./optimizer.js";
import { ProgramCore } from "./program.js";
import { ResidentTensors } from "./residents.js";

type Report = (progress: QuantizeProgress) => void;
type Handlers = {
  readonly [M in keyof Protocol]: (params: Params<M>, report: Report) => Result<M> | Promise<Result<M>>;
};

/** All that one engine owns: sessions, resident tensors, gradient sums and optimisers. Lives in the worker. */
export class EngineCore {
  private backend: Backend | undefined;
  private readonly residents = new ResidentTensors();
  private readonly accumulators = new GradientAccumulators();
  private readonly programs = new Map<number, ProgramCore>();
  private readonly optimizers = new Map<number, OptimizerCore>();
  private readonly counters = { sessions: 0, bytesUploaded: 0, runs: 0 };
  private nextId = 1;

  readonly handlers: Handlers = {
    open: async ({ backend: name, threads, wasmPaths, profileFolder }) => {
      if (profileFolder !== undefined) await prepareProfiles(name, profileFolder);
      this.backend = await backendRegistry.loaders[name]({ threads, wasmPaths, profileFolder });
      return { threads: this.backend.threads };
    },
    compile: async ({ definition }, report) => {
      if (this.backend === undefined) throw gone("engine");
      const folder = definition.externalFolder;
      const resolved =
        folder === undefined ? definition : { ...definition, externalFolder: await platform.realPath(folder) };
      const { backend } = this;
      const session = await withInt8Weights(resolved, report, (complete) => backend.createSession(complete));
      this.counters.sessions++;
      // Weights that came in memory are in the session now. The request that holds them ends with this call.
      if (holdsWeights(definition)) setTimeout(() => platform.collectGarbage());
      try {
        checkDefinition(definition, session);
      } catch (error) {
        await session.release();
        throw error;
      }
      // The session has read them; holding them would keep a second copy of the weights.
      const light = { ...definition, model: new Uint8Array(0), externalData: [], quantizedData: [] };
      const program = this.nextId++;
      this.programs.set(program, new ProgramCore(light, session, this.residents, this.accumulators));
      return { program };
    },
    run: ({ program, fetch, ...feeding }) => {
      this.counters.runs++;
      return this.program(program).run(feeding, fetch);
    },
    accumulate: ({ program, weight, fetch, ...feeding }) => {
      this.counters.runs++;
      return this.program(program).accumulate(feeding, weight, fetch);
    },
    gradients: ({ program, bind }) => {
      const copies: TensorRecord = {};
      for (const name of this.program(program).gradientNames(bind)) {
        const sum = this.accumulators.get(name);
        if (sum !== undefined) copies[name] = copyTensor(sum);
      }
      return copies;
    },
    disposeProgram: async ({ program }) => {
      const core = this.programs.get(program);
      this.programs.delete(program);
      await core?.release();
    },
    setResident: ({ tensors }) => {
      for (const { data } of Object.values(tensors)) this.counters.bytesUploaded += data.byteLength;
      this.residents.set(tensors);
      return undefined;
    },
    getResident: ({ names }) =>
      Object.fromEntries((names ?? this.residents.names()).map((name) => [name, copyTensor(this.residents.get(name))])),
    removeResident: ({ names }) => {
      this.residents.remove(names);
      this.accumulators.clear(names);
      return undefined;
    },
    createOptimizer: ({ options }) => {
      const optimizer = this.nextId++;
      this.optimizers.set(optimizer, this.makeOptimizer(options));
      return { optimizer };
    },
    step: ({ optimizer, learningRate, maxGradNorm }) => this.optimizer(optimizer).takeStep(learningRate, maxGradNorm),
    zeroGrad: ({ optimizer }) => void this.optimizer(optimizer).zeroGrad(),
    optimizerState: ({ optimizer }) => this.optimizer(optimizer).state(),
    loadOptimizerState: ({ optimizer, state }) => void this.optimizer(optimizer).loadState(state),
    disposeOptimizer: ({ optimizer }) => {
      const core = this.optimizers.get(optimizer);
      this.optimizers.delete(optimizer);
      // Sums that another optimiser waits for stay.
      const awaited = new Set([...this.optimizers.values()].flatMap(({ parameterNames }) => parameterNames));
      const ended = core?.parameterNames.filter((name) => !awaited.has(name)) ?? [];
      if (ended.length > 0) this.accumulators.clear(ended);
      return undefined;
    },
    counters: () => ({ ...this.counters }),
    close: async () => {
      for (const program of this.programs.values()) await program.release();
      this.programs.clear();
    },
  };

  private makeOptimizer(options: OptimizerOptions): OptimizerCore {
    const { optimizer, parameters, ...given } = options;
    if (!Object.hasOwn(optimizers, optimizer)) {
      throw new GraftError(
        "invalid-argument",
        `there is no optimiser "${optimizer}"`,
        `Known optimisers: ${Object.keys(optimizers).join(", ")}.`,
      );
    }
    const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const settings = { ...optimizers[optimizer].defaults, ...defined } as OptimizerSettings[OptimizerName];
    return new OptimizerCore(optimizer, settings, parameters, this.residents, this.accumulators);
  }

  private program(id: number): ProgramCore {
    const program = this.programs.get(id);
    if (program === undefined) throw gone("program");
    return program;
  }

  private optimizer(id: number): OptimizerCore {
    const optimizer = this.optimizers.get(id);
    if (optimizer === undefined) throw gone("optimiser");
    return optimizer;
  }
}

function holdsWeights({ externalData = [], quantizedData = [] }: ProgramDefinition): boolean {
  return externalData.length > 0 || quantizedData.length > 0;
}

async function prepareProfiles(backend: BackendName, folder: string): Promise<void> {
  if (!backendRegistry.profiling.includes(backend)) {
    throw new GraftError(
      "unsupported",
      `backend "${backend}" writes no profiles here`,
      `Leave profileFolder out, or use one of Node's backends "cpu", "webgpu" and "cuda".`,
    );
  }
  await platform.makeDirectory(folder);
}

function gone(what: string): GraftError {
  return new GraftError("invalid-argument", `this ${what} was disposed`, "Make a new one.");
}
