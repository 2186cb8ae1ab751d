import { GraftError } from "../errors.js";
import type { Module, Parameter, ParameterSource } from "../nn/index.js";
import type { LoraConfig } from "./config/lora-config.js";
import { type NamedModule, selectSavedModules, selectTargets } from "./matching/select.js";
import { SavedModule } from "./modules-to-save.js";
import { tuningMethods } from "./tuners/index.js";
import { LoraLinear } from "./tuners/lora/layer.js";

/** One adapter in a network. */
export interface Adapter {
  readonly config: LoraConfig;
  readonly trainable: boolean;
  readonly layers: readonly LoraLinear[];
  readonly saved: readonly SavedModule[];
}

/**
 * A module tree with adapters in it: which layers are wrapped, which modules have trained copies, which adapter acts,
 * and what is trainable. It knows nothing of files and engines.
 */
export class AdaptedNetwork {
  readonly adapters = new Map<string, Adapter>();
  private readonly savedModules = new Map<Module, SavedModule>();
  private active: string | null = null;
  private disabledBy = 0;
  /** Undoes what the first of the `disable`s in force did. */
  private enable: () => void = () => {};
  private frozen: Parameter[] = [];
  /** The elements that trained biases had before; an adapter that trains some is the only one. */
  private baseBiases: [Parameter, ParameterSource][] = [];

  /** @param namesOf transformers 4's and 5's name of a module path */
  constructor(
    readonly network: Module,
    private readonly modelType: string,
    private readonly namesOf: (path: string) => readonly string[],
  ) {}

  /** The name of the adapter that acts; null for none. */
  get activeAdapter(): string | null {
    return this.active;
  }

  /** All modules below the root with their names; those without a name are left out. */
  modules(namesOf = this.namesOf): NamedModule[] {
    const below = [...this.network.modules()].filter((module) => module.path !== "");
    const named = below.map((module) => ({ module, names: namesOf(module.path) }));
    return named.filter(({ names }) => names.length > 0);
  }

  /**
   * Wraps the layers that the config picks and copies the modules it saves whole; the adapter does not act yet. What is
   * refused leaves the tree as it was.
   * @param seed of the initial matrices: the same seed gives the same adapter; null: shapes only, elements are loaded
   * @throws GraftError `invalid-argument` (name, seed), `target-modules-not-found`, `invalid-config`, `unsupported`
   */
  add(name: string, config: LoraConfig, trainable: boolean, seed: number | null): void {
    this.requireEnabled();
    this.checkName(name, config);
    const modules = this.modules();
    const targets = selectTargets(modules, config, this.modelType);
    const whole = selectSavedModules(modules, config);
    this.checkSavedModules(whole);
    if (this.adapters.size === 0) this.freeze();
    const layers = targets.map(({ module }) => (module instanceof LoraLinear ? module : this.wrap(module)));
    const saved = whole.map((module) => this.save(module));
    this.adapters.set(name, { config, trainable, layers, saved });
    for (const layer of layers) layer.addAdapter(name, config);
    for (const module of saved) module.addAdapter(name);
    this.baseBiases = this.trainedBiases(name).map((bias) => [bias, bias.source]);
    if (seed !== null) this.initialize(name, layers, seed);
    this.setTrainable(name, false);
  }

  private initialize(name: string, layers: readonly LoraLinear[], seed: number): void {
    try {
      for (const layer of layers) layer.initialize(name, seed);
    } catch (error) {
      this.remove(name);
      throw error;
    }
  }

  /** Takes an adapter out; what no adapter uses any more is as it was before: trained biases, and what is trainable. */
  remove(name: string): void {
    this.requireEnabled();
    const adapter = this.get(name);
    if (this.active === name) this.activate(null);
    this.adapters.delete(name);
    for (const layer of adapter.layers) {
      layer.removeAdapter(name);
      if (layer.adapterNames.length === 0) this.replace(layer, layer.base);
    }
    for (const saved of adapter.saved) {
      saved.removeAdapter(name);
      if (!saved.isUsed) this.savedModules.delete(saved.module);
    }
    if (this.adapters.size > 0) return;
    for (const [bias, source] of this.baseBiases) bias.source = source;
    for (const parameter of this.frozen) parameter.trainable = true;
  }

  /** Lets one adapter act, and its parameters be trained if it is trainable; null: the base model alone. */
  activate(name: string | null): void {
    this.requireEnabled();
    if (name !== null) this.get(name);
    if (this.active !== null && this.adapters.has(this.active)) this.setTrainable(this.active, false);
    for (const layer of this.layers()) layer.activate(name);
    for (const module of this.savedModules.values()) module.activate(name);
    this.active = name;
    if (name !== null) this.setTrainable(name, this.get(name).trainable);
  }

  /**
   * The base model alone, until the returned function is called (where calls overlap, all of those): scale 0 beside the
   * weights, no merged weights, and the originals of saved modules. Biases that an adapter trains are the base's own and
   * stay (PEFT's rule).
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
    const name = this.active;
    const restored = this.layers().map((layer) => {
      const { scaling } = layer;
      const override = layer.merged ? layer.base.weight.override : null;
      layer.unmerge();
      layer.setScaling(0);
      return () => {
        layer.setScaling(scaling);
        if (override) layer.merge(override.data);
      };
    });
    for (const module of this.savedModules.values()) module.activate(null);
    return () => {
      for (const restore of restored) restore();
      for (const module of this.savedModules.values()) module.activate(name);
    };
  }

  /**
   * Puts the plain layers back and forgets all adapters. Merged weights become the layers' own; trained copies of
   * saved modules stay in force, as in PEFT.
   */
  unload(): void {
    this.requireEnabled();
    for (const layer of this.layers()) {
      const { weight } = layer.base;
      if (weight.override) weight.setData(weight.override);
      layer.unmerge();
      this.replace(layer, layer.base);
    }
    for (const parameter of this.network.parameters()) parameter.trainable = false;
    this.adapters.clear();
    this.savedModules.clear();
    this.active = null;
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

  /** Every wrapped layer, whichever adapter uses it. */
  layers(): LoraLinear[] {
    return [...new Set([...this.adapters.values()].flatMap(({ layers }) => layers))];
  }

  /** The parameters of saved modules that trained copies stand in for. */
  originals(): Parameter[] {
    return [...new Set([...this.adapters.values()].flatMap(({ saved }) => saved.flatMap((one) => one.originals)))];
  }

  /** A and B of every layer, then the copies of saved modules. */
  adapterParameters(name: string): Parameter[] {
    const { layers, saved } = this.get(name);
    const matrices = layers.map((layer) => layer.adapter(name)).filter((pair) => pair !== undefined);
    return [...matrices.flatMap(({ a, b }) => [a, b]), ...saved.flatMap((module) => module.adapter(name))];
  }

  /** The base's biases that the config trains, saved modules aside. */
  trainedBiases(name: string): Parameter[] {
    const { config, layers } = this.get(name);
    if (config.bias === "none") return [];
    if (config.bias === "lora_only") return layers.flatMap(({ base }) => (base.bias ? [base.bias] : []));
    const inSaved = new Set([...this.originals(), ...this.adapterParameters(name)]);
    return [...this.network.parameters()].filter((one) => one.name.endsWith("bias") && !inSaved.has(one));
  }

  private freeze(): void {
    this.frozen = [...this.network.parameters()].filter(({ trainable }) => trainable);
    for (const parameter of this.frozen) parameter.trainable = false;
  }

  private setTrainable(name: string, trainable: boolean): void {
    for (const one of [...this.adapterParameters(name), ...this.trainedBiases(name)]) one.trainable = trainable;
  }

  /** A copy within another adapter's copy would have two owners. */
  private checkSavedModules(wanted: readonly Module[]): void {
    const isBelow = (a: Module, b: Module): boolean => a.path.startsWith(`${b.path}.`);
    for (const module of wanted) {
      const other = [...this.savedModules.keys()].find((one) => isBelow(one, module) || isBelow(module, one));
      if (!other) continue;
      throw new GraftError(
        "unsupported",
        `one adapter saves ${other.path} whole, another one ${module.path}`,
        "Let all adapters of a model save the same modules.",
      );
    }
  }

  private save(module: Module): SavedModule {
    const saved = this.savedModules.get(module) ?? new SavedModule(module);
    this.savedModules.set(module, saved);
    return saved;
  }

  private wrap(linear: LoraLinear["base"]): LoraLinear {
    const layer = new tuningMethods.LORA.layer(linear);
    this.replace(linear, layer);
    return layer;
  }

  private replace(old: Module, replacement: Module): void {
    const end = old.path.lastIndexOf(".");
    this.network.find(old.path.slice(0, Math.max(end, 0)))?.replaceChild(old.path.slice(end + 1), replacement);
  }

  private checkName(name: string, config: LoraConfig): void {
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
    const all = [config, ...[...this.adapters.values()].map((adapter) => adapter.config)];
    if (all.length > 1 && all.some(({ bias }) => bias !== "none")) {
      throw new GraftError(
        "unsupported",
        'an adapter with bias "all" or "lora_only" changes the base\'s own biases, so it must be the only one',
        'Load one adapter, or use bias: "none".',
      );
    }
  }
}
