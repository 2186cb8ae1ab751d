import { backendRegistry } from "#backends";
import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import type { Backend } from "../backends/types.js";
import type { BackendName, ProgramDefinition } from "../definition.js";
import type { Counters, Params, Protocol, QuantizeProgress, Result } from "../protocol.js";
import { checkDefinition } from "./check-definition.js";
import { withInt8Weights } from "./int8-weights-file.js";
import { gone, ScopeCore } from "./scope-core.js";

type Report = (progress: QuantizeProgress) => void;
type Handlers = {
  readonly [M in keyof Protocol]: (params: Params<M>, scope: number, report: Report) => Result<M> | Promise<Result<M>>;
};

/** All that one engine owns: a backend and the scopes. Lives in the worker. */
export class EngineCore {
  private backend: Backend | undefined;
  private readonly scopes = new Map<number, ScopeCore>();
  /** What scopes that have ended have done. */
  private ended: Counters = { sessions: 0, bytesUploaded: 0, runs: 0 };

  readonly handlers: Handlers = {
    open: async ({ backend: name, threads, wasmPaths, profileFolder }) => {
      if (profileFolder !== undefined) await prepareProfiles(name, profileFolder);
      this.backend = await backendRegistry.loaders[name]({ threads, wasmPaths, profileFolder });
      return { threads: this.backend.threads };
    },
    compile: async ({ definition }, scope, report) => {
      if (this.backend === undefined) throw gone("engine");
      const folder = definition.externalFolder;
      const resolved =
        folder === undefined ? definition : { ...definition, externalFolder: await platform.realPath(folder) };
      const { backend } = this;
      const session = await withInt8Weights(resolved, report, (complete) => backend.createSession(complete));
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
      return { program: this.scope(scope).addProgram(light, session) };
    },
    run: ({ program, fetch, ...feeding }, scope) => this.scope(scope).run(program, feeding, fetch),
    accumulate: ({ program, weight, fetch, ...feeding }, scope) =>
      this.scope(scope).accumulate(program, feeding, weight, fetch),
    gradients: ({ program, bind }, scope) => this.scope(scope).gradients(program, bind),
    disposeProgram: async ({ program }, scope) => void (await this.scope(scope).disposeProgram(program)),
    setResident: ({ tensors }, scope) => void this.scope(scope).setResident(tensors),
    getResident: ({ names }, scope) => this.scope(scope).getResident(names),
    reorderResident: ({ names, indices, axis }, scope) =>
      void this.scope(scope).residents.reorder(names, indices, axis),
    removeResident: ({ names }, scope) => void this.scope(scope).removeResident(names),
    createOptimizer: ({ options }, scope) => ({ optimizer: this.scope(scope).addOptimizer(options) }),
    step: (params, scope) => this.scope(scope).step(params),
    zeroGrad: ({ optimizer }, scope) => void this.scope(scope).optimizer(optimizer).zeroGrad(),
    optimizerState: ({ optimizer }, scope) => this.scope(scope).optimizer(optimizer).state(),
    loadOptimizerState: ({ optimizer, state }, scope) => void this.scope(scope).optimizer(optimizer).loadState(state),
    disposeOptimizer: ({ optimizer }, scope) => void this.scope(scope).disposeOptimizer(optimizer),
    residentBytes: ({ everywhere }, scope) => {
      const scopes = everywhere ? [...this.scopes.values()] : [this.scope(scope)];
      return { bytes: scopes.reduce((sum, { residents }) => sum + residents.bytes, 0) };
    },
    counters: ({ everywhere }, scope) => {
      if (!everywhere) return { ...this.scope(scope).counters };
      return total([this.ended, ...[...this.scopes.values()].map(({ counters }) => counters)]);
    },
    disposeScope: async (_, scope) => {
      const core = this.scope(scope);
      this.scopes.delete(scope);
      this.ended = total([this.ended, core.counters]);
      await core.dispose();
      return undefined;
    },
    close: async () => {
      for (const scope of this.scopes.values()) await scope.dispose();
      this.scopes.clear();
    },
  };

  /** Begun by the first request that names it: the main thread numbers its scopes, and asks for none that has ended. */
  private scope(id: number): ScopeCore {
    let scope = this.scopes.get(id);
    if (scope === undefined) {
      scope = new ScopeCore();
      this.scopes.set(id, scope);
    }
    return scope;
  }
}

function total(counters: readonly Counters[]): Counters {
  const sum = (name: keyof Counters): number => counters.reduce((before, { [name]: count }) => before + count, 0);
  return { sessions: sum("sessions"), bytesUploaded: sum("bytesUploaded"), runs: sum("runs") };
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
