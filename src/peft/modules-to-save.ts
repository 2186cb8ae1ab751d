import { type Module, Parameter } from "../nn/index.js";

/** A parameter of a saved module, and the module that reads it. */
interface Place {
  readonly owner: Module;
  readonly key: string;
  readonly original: Parameter;
}

function copyOf(original: Parameter): Parameter {
  const copy = new Parameter(original.shape, original.symbolicShape);
  copy.name = original.name;
  copy.source = original.source;
  copy.initializer = original.initializer;
  return copy;
}

/**
 * A module that is trained whole (PEFT's ModulesToSaveWrapper): every adapter has its own copy of the module's
 * parameters, which takes the originals' place while the adapter acts. The originals stay frozen.
 */
export class SavedModule {
  private readonly places: Place[] = [];
  private readonly copies = new Map<string, Map<Parameter, Parameter>>();

  constructor(readonly module: Module) {
    for (const owner of module.modules()) {
      for (const [key, original] of owner.ownParameters) {
        this.places.push({ owner, key, original });
      }
    }
  }

  get originals(): Parameter[] {
    return this.places.map((place) => place.original);
  }

  /** Copies the originals for an adapter; the copies begin with the originals' elements. */
  addAdapter(name: string): void {
    this.copies.set(name, new Map(this.places.map(({ original }) => [original, copyOf(original)])));
  }

  removeAdapter(name: string): void {
    this.copies.delete(name);
  }

  /** Whether an adapter has copies. */
  get isUsed(): boolean {
    return this.copies.size > 0;
  }

  /** An adapter's copies; none where it does not save this module. */
  adapter(name: string): Parameter[] {
    return [...(this.copies.get(name)?.values() ?? [])];
  }

  /** Puts an adapter's copies in force; null, or an adapter that has none: the originals. */
  activate(name: string | null): void {
    const copies = name === null ? undefined : this.copies.get(name);
    for (const { owner, key, original } of this.places) owner.replaceParameter(key, copies?.get(original) ?? original);
  }
}
