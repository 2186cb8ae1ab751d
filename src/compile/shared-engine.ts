import type { Tensor } from "../graph/index.js";
import type { Trace } from "../nn/trace.js";
import { scopeOptions } from "../runtime/index.js";
import { GraphEngine, type GraphEngineOptions, type GraphProgram } from "./graph-engine.js";

/** An engine and who holds it. */
interface Held {
  readonly engine: GraphEngine;
  readonly holders: Set<SharedEngine>;
}

/** By options. One that nobody holds any more is ended and forgotten. */
const engines = new Map<string, Held>();

/**
 * A hold on an engine that all holders with the same options share. It starts with the first graph and ends when the last
 * holder lets it go.
 */
export class SharedEngine {
  private readonly options: GraphEngineOptions;
  private held: Held | undefined;
  private readonly programs: Promise<GraphProgram>[] = [];

  /** @throws GraftError `invalid-argument` for options of an engine beside an engine */
  constructor(options: GraphEngineOptions) {
    this.options = scopeOptions(options);
  }

  /** As `GraphEngine.compile`. */
  compile(trace: Trace, outputs: Readonly<Record<string, Tensor>>): Promise<GraphProgram> {
    this.held ??= this.hold();
    const program = this.held.engine.compile(trace, outputs);
    this.programs.push(program);
    return program;
  }

  /** Frees the holder's own graphs; the last holder ends the engine. A later graph takes hold again. */
  async dispose(): Promise<void> {
    const { held } = this;
    this.held = undefined;
    const programs = this.programs.splice(0);
    if (held === undefined) return;
    held.holders.delete(this);
    if (held.holders.size > 0) {
      await Promise.allSettled(programs.map(async (program) => (await program).dispose()));
      return;
    }
    for (const [key, one] of engines) if (one === held) engines.delete(key);
    await held.engine.dispose();
  }

  private hold(): Held {
    const { engine, ...own } = this.options;
    const holders = new Set<SharedEngine>([this]);
    // One that the caller gave is shared by its own scopes.
    if (engine) return { engine: new GraphEngine({ engine }), holders };
    const key = JSON.stringify(Object.entries(own).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = engines.get(key) ?? { engine: new GraphEngine(own), holders };
    known.holders.add(this);
    engines.set(key, known);
    return known;
  }
}
