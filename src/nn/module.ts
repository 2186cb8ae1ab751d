import { withScope } from "../graph/index.js";
import type { Parameter } from "./parameter.js";

/**
 * A node of the module tree. Children and parameters are registered under the names that checkpoints use
 * (transformers v4 class paths), so a parameter's path is its key in `model.safetensors`.
 */
export abstract class Module {
  /** Full path in the tree ("" for the root). */
  path = "";
  private readonly childrenByName = new Map<string, Module>();
  private readonly parametersByName = new Map<string, Parameter>();
  /** Names under which parameters of other modules are read here, too. */
  private readonly tiedNames = new Set<string>();

  /** Registers a child and returns it. */
  protected child<M extends Module>(name: string, module: M): M {
    this.childrenByName.set(name, module);
    return module;
  }

  /** Registers a parameter and returns it. */
  protected parameter(name: string, parameter: Parameter): Parameter {
    this.parametersByName.set(name, parameter);
    return parameter;
  }

  /**
   * Registers a parameter that another module owns and names (an output projection that reads the embedding table): it
   * exists once, so it is counted, saved and trained once.
   */
  protected tie(name: string, parameter: Parameter): Parameter {
    this.tiedNames.add(name);
    return this.parameter(name, parameter);
  }

  /** Runs a forward function with this module's path as the scope of the nodes it writes. */
  protected scoped<T>(write: () => T): T {
    return withScope(this.path, write);
  }

  get children(): ReadonlyMap<string, Module> {
    return this.childrenByName;
  }

  /** Tied ones included. */
  get ownParameters(): ReadonlyMap<string, Parameter> {
    return this.parametersByName;
  }

  /**
   * Puts another module in a child's place (a layer of an adapter around a Linear). Fields of this object that hold the
   * old child hold the new one afterwards, so forward functions see it.
   */
  replaceChild(name: string, replacement: Module): void {
    const old = this.childrenByName.get(name);
    this.childrenByName.set(name, replacement);
    for (const [field, value] of Object.entries(this)) {
      if (value === old) Reflect.set(this, field, replacement);
    }
  }

  /** Sets `path` and parameter names of the whole tree below this module. */
  assignNames(path = ""): void {
    this.path = path;
    const join = (name: string): string => (path === "" ? name : `${path}.${name}`);
    for (const [name, parameter] of this.parametersByName) {
      if (!this.tiedNames.has(name)) parameter.name = join(name);
    }
    for (const [name, child] of this.childrenByName) child.assignNames(join(name));
  }

  /** This module and all modules below it, parents first. */
  *modules(): Generator<Module> {
    yield this;
    for (const child of this.childrenByName.values()) yield* child.modules();
  }

  /** The parameters of the tree, each once, in the order of registration. */
  *parameters(): Generator<Parameter> {
    const seen = new Set<Parameter>();
    for (const module of this.modules()) {
      for (const parameter of module.ownParameters.values()) {
        if (seen.has(parameter)) continue;
        seen.add(parameter);
        yield parameter;
      }
    }
  }

  /** Further names of the tree's parameters: those under which other modules read them. */
  *tiedParameters(): Generator<[name: string, parameter: Parameter]> {
    for (const { path, tiedNames, parametersByName } of this.modules()) {
      for (const name of tiedNames) {
        yield [path === "" ? name : `${path}.${name}`, parametersByName.get(name) as Parameter];
      }
    }
  }

  /** The module at a path below this one; undefined where there is none. */
  find(path: string): Module | undefined {
    if (path === "") return this;
    const [head = "", ...rest] = path.split(".");
    return this.childrenByName.get(head)?.find(rest.join("."));
  }
}
