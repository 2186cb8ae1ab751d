import type { Tensor } from "../graph/index.js";
import type { Trace } from "../nn/trace.js";
import { LazyScope, type Program, type ScopeOptions, scopeOptions } from "../runtime/index.js";
import { defineProgram } from "./program.js";

/** Options of what runs graphs: an engine to share, or those of an engine of its own. */
export type GraphEngineOptions = ScopeOptions;
export type GraphProgram = Program;

/** Runs graphs that belong to no network. Its place in an engine is opened with the first graph. */
export class GraphEngine {
  private readonly scope: LazyScope;

  /** @throws GraftError `invalid-argument` for options of an engine beside an engine */
  constructor(options: GraphEngineOptions) {
    this.scope = new LazyScope(scopeOptions(options));
  }

  /** A traced graph, made ready to run. @throws GraftError as `Engine.create` and `EngineScope.compile` */
  async compile(trace: Trace, outputs: Readonly<Record<string, Tensor>>): Promise<GraphProgram> {
    const engine = await this.scope.get();
    return engine.compile(defineProgram({ trace, outputs, purpose: "prediction", backend: engine.backend }));
  }

  /** Frees the graphs, and ends an engine of its own. A later graph opens another place. */
  dispose(): Promise<void> {
    return this.scope.dispose();
  }
}
