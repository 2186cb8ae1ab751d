import { GraftError } from "../../errors.js";
import type { Network } from "../../models/index.js";
import type { Adjustment, Parameter } from "../../nn/index.js";
import type { AdapterConfig } from "../config/config-class.js";
import type { NamedModule } from "../matching/named-module.js";
import { selectSavedModules } from "../matching/saved-modules.js";
import type { Beginning, Tuner } from "../tuner.js";
import { Adapter } from "./adapter.js";
import { AdapterHost, type Compute, MERGE, namedModules } from "./adapter-host.js";
import { checkExclusive, checkPersistent } from "./exclusive.js";
import { BASE, MixedBatch } from "./mixed-batch.js";

/**
 * A module tree with adapters in it: which there are, which act, and what is trainable. It knows nothing of files,
 * engines and methods.
 */
export class AdaptedNetwork {
  readonly adapters = new Map<string, Adapter>();
  private disabledBy = 0;
  /** Undoes what the first of the `disable`s in force did. */
  private enable: () => void = () => {};
  private frozen: Parameter[] = [];
  private mixedBatch: MixedBatch | null = null;

  /** @param namesOf transformers 4's and 5's name of a module path */
  constructor(
    readonly network: Network,
    private readonly namesOf: (path: string) => readonly string[],
    private readonly compute: Compute,
  ) {}

  /** The names of the adapters that act, in their order. */
  get activeAdapters(): string[] {
    return this.acting.map(({ name }) => name);
  }

  /** The adapters that act, in their order. */
  get acting(): Adapter[] {
    const acting = [...this.adapters.values()].filter(({ position }) => position !== null);
    return acting.sort((a, b) => (a.position as number) - (b.position as number));
  }

  /** All modules below the root with their names, as they are without adapters; those without a name are left out. */
  modules(namesOf = this.namesOf): NamedModule[] {
    return namedModules(this.network, namesOf);
  }

  /**
   * Adds an adapter, which does not act yet. What is refused leaves the network as it was.
   * @param beginning of its elements: the same seed gives the same adapter; null: shapes only, elements are loaded
   * @throws GraftError `invalid-argument` (name, seed), `target-modules-not-found`, `invalid-config`, `unsupported`
   */
  add(name: string, tuner: Tuner, config: AdapterConfig, isTrainable: boolean, beginning: Beginning | null): void {
    this.requireEnabled();
    this.checkName(name);
    this.dropMixed();
    const adapter = new Adapter(name, tuner, config, isTrainable);
    if (this.adapters.size === 0) this.freeze();
    try {
      this.inject(adapter, beginning);
    } catch (error) {
      adapter.undo();
      if (this.adapters.size === 0) this.thaw();
      throw error;
    }
    this.adapters.set(name, adapter);
    this.network.guests.add(adapter);
    adapter.act(null);
  }

  private inject(adapter: Adapter, beginning: Beginning | null): void {
    const host = new AdapterHost(this.network, adapter, this.namesOf, this.compute, beginning);
    const saved = selectSavedModules(host.modules(), adapter.config);
    const parameters = new Set(saved.flatMap((module) => [...module.parameters()]));
    host.copy([...parameters], { isKept: true, isCounted: adapter.tuner.isWholeModel !== true });
    adapter.injection = adapter.tuner.inject(host, adapter.config);
    checkPersistent(adapter);
    if (beginning === null) return;
    for (const [key, parameter] of adapter.own) {
      if (parameter.source.kind === "shape") parameter.initialize(beginning.seed, key);
    }
  }

  /** Takes an adapter out; what no adapter uses any more is as it was before, and so is what is trainable. */
  remove(name: string): void {
    this.requireEnabled();
    const adapter = this.get(name);
    this.dropMixed();
    if (adapter.isMerged) this.unmerge();
    const others = this.acting.filter((one) => one !== adapter);
    if (adapter.position !== null) this.assign(others);
    this.adapters.delete(name);
    this.network.guests.delete(adapter);
    adapter.undo();
    if (this.adapters.size === 0) this.thaw();
  }

  /**
   * Lets adapters act together, and be trained if they are trainable; none: the base model alone.
   * @throws GraftError `invalid-argument` for unknown names, `unsupported` where two of them copy or adjust one parameter
   */
  activate(names: readonly string[]): void {
    this.requireEnabled();
    const adapters = [...new Set(names)].map((name) => this.get(name));
    checkExclusive(adapters);
    for (const adapter of adapters) adapter.setScale(1);
    this.assign(adapters);
  }

  private assign(acting: readonly Adapter[]): void {
    for (const adapter of this.adapters.values()) if (!acting.includes(adapter)) adapter.act(null);
    for (const [position, adapter] of acting.entries()) adapter.act(position);
  }

  /**
   * The base model alone, to the bit, until the returned function is called (where calls overlap, all of those): no
   * adapter acts, and no weight is adjusted. Biases that an adapter trains are the base's own and stay (PEFT's rule).
   */
  disable(): () => void {
    if (this.disabledBy === 0) this.enable = this.switchOff();
    this.disabledBy++;
    return () => {
      this.disabledBy--;
      if (this.disabledBy === 0) this.enable();
    };
  }

  private switchOff(): () => void {
    const { acting } = this;
    const adjusted = [...this.network.parameters()].filter(({ adjustments }) => adjustments.length > 0);
    const hidden: [Parameter, Adjustment[]][] = adjusted.map((parameter) => [
      parameter,
      parameter.adjustments.splice(0),
    ]);
    this.assign([]);
    return () => {
      for (const [parameter, adjustments] of hidden) parameter.adjustments.push(...adjustments);
      this.assign(acting);
    };
  }

  /**
   * Adapters of which every row of a batch takes its own, made ready.
   * @param names of each row's adapter, `__base__` for none
   * @returns the index of each row's adapter, from 1, 0 for the base; and the bank parameters that are no longer needed
   * @throws GraftError `invalid-argument` for unknown names, `unsupported` for what cannot be mixed
   */
  mixed(names: readonly string[]): { batch: MixedBatch; rows: Int32Array; outdated: readonly Parameter[] } {
    this.requireEnabled();
    const distinct = [...new Set(names)].filter((name) => name !== BASE).sort();
    const adapters = distinct.map((name) => this.get(name));
    const rows = Int32Array.from(names, (name) => distinct.indexOf(name) + 1);
    if (this.mixedBatch?.isOf(adapters)) return { batch: this.mixedBatch, rows, outdated: [] };
    const outdated = this.dropMixed();
    this.mixedBatch = new MixedBatch(this.network, adapters, this.namesOf, this.compute, this.adapters.values());
    return { batch: this.mixedBatch, rows, outdated };
  }

  /** Forgets the banks of mixed batches. @returns their parameters */
  dropMixed(): readonly Parameter[] {
    const dropped = this.mixedBatch?.remove() ?? [];
    this.mixedBatch = null;
    return dropped;
  }

  /** Bytes of the banks that the last mixed batch needed. */
  get bankBytes(): number {
    return this.mixedBatch?.bytes ?? 0;
  }

  /** Lets a mixed batch's banks act in the place of the acting adapters while something is called. */
  withMixed<T>(batch: MixedBatch, call: () => T): T {
    const { acting } = this;
    this.assign([]);
    const rest = batch.act();
    try {
      return call();
    } finally {
      rest();
      this.assign(acting);
    }
  }

  /** Drops merged weights: those from before are in force again, to the bit. */
  unmerge(): void {
    for (const { adjustments } of this.network.parameters()) {
      const at = adjustments.findIndex(({ by }) => by === MERGE);
      if (at >= 0) adjustments.splice(at);
    }
    for (const adapter of this.adapters.values()) adapter.isMerged = false;
  }

  /**
   * Puts the plain modules back and forgets all adapters. Merged weights become the base's own; trained copies of saved
   * modules and biases stay in force, as in PEFT.
   */
  unload(): void {
    this.requireEnabled();
    this.dropMixed();
    const { acting } = this;
    const kept = [...this.adapters.values()].flatMap((adapter) =>
      adapter.copies.filter((copy) => (acting.includes(adapter) ? copy.isKept : copy.isPersistent)),
    );
    const merged = [...this.network.parameters()].map(
      (parameter) => [parameter, parameter.adjustments.find(({ by }) => by === MERGE)?.elements] as const,
    );
    for (const adapter of [...this.adapters.values()].reverse()) adapter.undo();
    for (const { original, copy } of kept) {
      original.source = copy.source;
      original.storage = copy.storage;
    }
    for (const [parameter, elements] of merged) {
      parameter.adjustments.length = 0;
      if (typeof elements === "object") parameter.setData(elements);
    }
    for (const parameter of this.network.parameters()) parameter.trainable = false;
    this.adapters.clear();
    this.network.guests.clear();
  }

  /** @throws GraftError `invalid-argument` while adapters are disabled */
  requireEnabled(): void {
    if (this.disabledBy === 0) return;
    throw new GraftError(
      "invalid-argument",
      "adapters cannot be changed while they are disabled",
      "Do it after the callback of disableAdapter has ended.",
    );
  }

  /** @throws GraftError `invalid-argument` listing the adapters there are */
  get(name: string): Adapter {
    const adapter = this.adapters.get(name);
    if (adapter) return adapter;
    throw new GraftError(
      "invalid-argument",
      `there is no adapter ${JSON.stringify(name)}`,
      `Loaded adapters: ${[...this.adapters.keys()].join(", ") || "none"}.`,
    );
  }

  /** The names of the adapters. @throws GraftError `invalid-argument` where there is none */
  requireNames(): string[] {
    if (this.adapters.size > 0) return [...this.adapters.keys()];
    throw new GraftError(
      "invalid-argument",
      "the model has no adapter",
      "After mergeAndUnload or unload save the model that it returned; otherwise add or load an adapter first.",
    );
  }

  private freeze(): void {
    this.frozen = [...this.network.parameters()].filter(({ trainable }) => trainable);
    for (const parameter of this.frozen) parameter.trainable = false;
  }

  private thaw(): void {
    for (const parameter of this.frozen) parameter.trainable = true;
  }

  private checkName(name: string): void {
    if (!/^[\w-]+$/.test(name)) {
      throw new GraftError(
        "invalid-argument",
        `${JSON.stringify(name)} cannot name an adapter`,
        "Use letters, digits, - and _: the name becomes a folder.",
      );
    }
    if (this.adapters.has(name)) {
      throw new GraftError("invalid-argument", `there is an adapter ${name} already`, "Give another adapterName.");
    }
  }
}
