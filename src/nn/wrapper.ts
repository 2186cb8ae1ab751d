import { Module } from "./module.js";
import type { Mode } from "./trace.js";

/**
 * A module around another one, at its place in the tree: paths and parameter names stay those of the base. Several stand
 * around one another in the order in which they came, the first innermost.
 */
export abstract class Wrapper<Base extends Module = Module> extends Module {
  constructor(public base: Base) {
    super();
    this.path = base.path;
  }

  /** Whether `forward` does something else than the base's. */
  abstract readonly isActing: boolean;

  /**
   * What the graph depends on while the wrapper acts, besides parameters: equal texts write equal graphs. Names no
   * adapter, so that programs serve any adapter of the same kind.
   */
  abstract signature(mode: Mode): string;

  override *modules(): Generator<Module> {
    yield this;
    yield* this.base.modules();
  }

  override assignNames(path = ""): void {
    this.path = path;
    this.base.assignNames(path);
  }

  override find(path: string): Module | undefined {
    return path === "" ? this : this.base.find(path);
  }
}

/** The module that all wrappers around it stand for. */
export function innermost(module: Module): Module {
  return module instanceof Wrapper ? innermost(module.base) : module;
}
