// Above 300 lines: the whole surface of a class of PEFT, of which nearly half are comments; what it does lies in host/ and folder/.
import { Callable } from "../callable.js";
import { GraftError } from "../errors.js";

import { type HubOptions, type ModelFiles, subfolder } from "../hub/index.js";

import { shown } from "../json.js";
import {
  type ForwardOptions,
  type ModelConfig,
  type ModelInputs,
  type ModelOutputs,
  type Network,
  namedOutputs,
  type PreparedInputs,
  type PreTrainedModel,
  type Runner,
  readParameter,
} from "../models/index.js";
import type { Parameter } from "../nn/index.js";

import { type TensorData, toFloat32 } from "../tensor-data.js";

import type { AdapterConfig, OnWarning } from "./config/config-class.js";
import { type CountOptions, countParameters, trainableLine } from "./counts.js";

import { AdapterFolder } from "./folder/adapter-folder.js";
import { matchAdapterTensors, readAdapterTensors, readWholeModel } from "./folder/adapter-tensors.js";
import { adapterStateDict, type SaveOptions, saveAdapter } from "./folder/save-adapter.js";

import { readTrainedTensors, saveTrainedTensors } from "./folder/trained-tensors.js";

import { AdaptedNetwork } from "./host/adapted-network.js";
import { type MergeOptions, mergeActing, mergedLazily } from "./host/merging.js";
import { BASE } from "./host/mixed-batch.js";
import { ROW_INPUT } from "./host/row-banks.js";
import type { NamedModule } from "./matching/named-module.js";
import { absentSavedModules } from "./matching/saved-modules.js";
import { excludesAny, hasTargets } from "./matching/select.js";

import type { PeftStateDict, StateDictOptions } from "./state-dict.js";
import type { AfterStep, Beginning, FactorPair, TrainedGroup } from "./tuner.js";

import { requireTuner, tuners } from "./tuners/registry.js";
import { combineAdapters, fill, type WeightedAdapterOptions } from "./weighted-adapter.js";

/** The name of an adapter that was given none. */
const DEFAULT_ADAPTER = "default";

/** What a PeftModel is called with: a model's inputs, and the adapter of each row where rows have their own. */
export interface PeftInputs {
  readonly adapterNames?: readonly string[];
  readonly [name: string]: ModelInputs[string] | readonly string[];
}

/** Options of `getPeftModel` and `addAdapter`. */
export interface PeftOptions {
  /** Default "default". */
  readonly adapterName?: string;
  /** Of the adapter's initial values. Default 0. */
  readonly seed?: number;
  /** Ids of the text that a prompt begins with (`promptTuningInit: "TEXT"`), as the model's tokenizer gives them. */
  readonly initTokenIds?: Iterable<number>;
  /** false: shapes only, enough to count parameters and to estimate. Default true. */
  readonly withWeights?: boolean;
  /** Receives remarks. Default console.warn. */
  readonly onWarning?: OnWarning;
}

/** Options of `PeftModel.fromPretrained` and `loadAdapter`. */
export interface LoadAdapterOptions extends Omit<PeftOptions, "seed" | "initTokenIds" | "withWeights">, HubOptions {
  /** Whether training goes on; false (default): for prediction. */
  readonly isTrainable?: boolean;
  /** Of a loralib checkpoint, which does not hold it; for other formats it is not read. */
  readonly loraAlpha?: number;
}

/**
 * Puts an adapter on a model: the model's own weights are frozen, the adapter's are trained.
 * The model is changed in place; `unload` takes the adapter out again.
 * @throws GraftError `target-modules-not-found`, `invalid-config`, `invalid-argument`, `unsupported`
 */
export function getPeftModel<Outputs extends ModelOutputs>(
  model: PreTrainedModel<Outputs>,
  config: AdapterConfig,
  options: PeftOptions = {},
): PeftModel<Outputs> {
  const peftModel = new PeftModel(model);
  peftModel.addAdapter(options.adapterName ?? DEFAULT_ADAPTER, config, options);
  return peftModel;
}

function requireConfig(config: AdapterConfig): AdapterConfig {
  if (tuners().some(({ Config }) => config instanceof Config)) return config;
  throw new GraftError(
    "invalid-argument",
    `the adapter's config is ${shown(config)}, not the config of a tuning method`,
    `Make one with new: ${tuners()
      .map(({ Config }) => Config.name)
      .join(", ")}.`,
  );
}

/** PEFT's remark about `excludeModules` that keep nothing out. */
function idleExclusion(modules: readonly NamedModule[], config: AdapterConfig): string[] {
  if (!hasTargets(config) || (config.excludeModules ?? "").length === 0 || excludesAny(modules, config)) return [];
  return [`excludeModules ${JSON.stringify(config.excludeModules)} excludes nothing`];
}

/**
 * A model with adapters, called like the model itself: `const { logits } = await peftModel({ inputIds })`.
 * Methods are named and behave as in Hugging Face PEFT.
 */
export class PeftModel<Outputs extends ModelOutputs = ModelOutputs> extends Callable<
  [inputs: PeftInputs, options?: ForwardOptions],
  Promise<Outputs>
> {
  private readonly adapted: AdaptedNetwork;

  /** Use `getPeftModel` or `PeftModel.fromPretrained`. */
  constructor(private readonly baseModel: PreTrainedModel<Outputs>) {
    super();
    const { network, runner } = baseModel;
    if (network.guests.size > 0) {
      throw new GraftError(
        "invalid-argument",
        "the model has adapters already",
        "Use addAdapter or loadAdapter of its PeftModel, or unload that one first.",
      );
    }
    this.adapted = new AdaptedNetwork(network, network.names.paths, (write) => runner.compute(write));
  }

  /**
   * Loads a folder in PEFT's format, or one of the Hub ("org/name"), onto its base model. Every tensor must fit; module names of transformers 4 and 5
   * are both read. Names in modules_to_save that the model does not have are left out with a remark.
   * @throws GraftError `adapter-mismatch` naming the tensors that differ, `unsupported` naming the field or method,
   *   `pickle-refused`, `target-modules-not-found`, and what opening the files throws
   */
  static async fromPretrained<Outputs extends ModelOutputs>(
    model: PreTrainedModel<Outputs>,
    folder: string | AdapterFolder,
    options: LoadAdapterOptions = {},
  ): Promise<PeftModel<Outputs>> {
    const peftModel = new PeftModel(model);
    await peftModel.loadAdapter(folder, options);
    return peftModel;
  }

  /** The module tree, with the adapters in it. */
  get network(): Network {
    return this.baseModel.network;
  }
  /** The base model's config. */
  get config(): ModelConfig {
    return this.baseModel.config;
  }
  /** The folder that the base model was loaded from; null for one that was made. */
  get nameOrPath(): string | null {
    return this.baseModel.nameOrPath;
  }
  /** What lies there; null for a model that was made. @internal */
  get files(): ModelFiles | null {
    return this.baseModel.files;
  }

  /** The base model's: compiles and runs programs. @internal */
  get runner(): Runner {
    return this.baseModel.runner;
  }
  /** The configs by adapter name. */
  get peftConfig(): Readonly<Record<string, AdapterConfig>> {
    return Object.fromEntries([...this.adapted.adapters].map(([name, { config }]) => [name, config]));
  }
  /** The names of the adapters that act. */
  get activeAdapters(): string[] {
    return this.adapted.activeAdapters;
  }
  /** Whether the acting adapters are in the weights. */
  get isMerged(): boolean {
    return this.adapted.acting.some(({ isMerged }) => isMerged);
  }
  /** Paths (of transformers 4) of the modules that adapters change. */
  get targetedModuleNames(): string[] {
    return [...new Set([...this.adapted.adapters.values()].flatMap(({ injection }) => injection.targets))];
  }
  /** Whether an adapter keeps other elements in base weights for as long as it is loaded (PiSSA's residual). */
  get changesBaseWeights(): boolean {
    return [...this.adapted.adapters.values()].some(({ injection }) => injection.unadjusted !== undefined);
  }
  /** The model below. It computes with the adapters while they are in it. */
  getBaseModel(): PreTrainedModel<Outputs> {
    return this.baseModel;
  }

  /**
   * Evaluation pass, as the base model's. With `adapterNames`, one for each row, every row takes its own adapter
   * (`"__base__"`: none), whichever adapters act otherwise.
   * @throws GraftError as the base model's `forward`; `unsupported` for adapters that rows cannot choose among,
   *   `invalid-argument` for unknown names and a number of names that is not the rows'
   */
  async forward({ adapterNames, ...others }: PeftInputs, options: ForwardOptions = {}): Promise<Outputs> {
    const inputs = others as ModelInputs;
    if (adapterNames === undefined) return this.baseModel.forward(inputs, options);
    return this.forwardMixed(inputs, adapterNames, options);
  }

  private async forwardMixed(
    inputs: ModelInputs,
    adapterNames: readonly string[],
    options: ForwardOptions,
  ): Promise<Outputs> {
    await this.runner.syncFromEngine();
    const prepared = this.prepareInputs(inputs);
    const count = Object.values(prepared.feeds)[0]?.shape[0];
    if (adapterNames.length !== count) {
      throw new GraftError(
        "invalid-argument",
        `there are ${adapterNames.length} adapterNames for ${count} rows`,
        'Name one adapter for each row, "__base__" for none.',
      );
    }
    if (adapterNames.every((name) => name === BASE)) return this.disableAdapter(() => this.baseModel.forward(inputs));
    const { batch, rows, outdated } = this.adapted.mixed(adapterNames);
    await this.runner.evict(outdated);
    await batch.settle();
    const feeds = { ...prepared.feeds, [ROW_INPUT]: { dtype: "int32", shape: [rows.length], data: rows } as const };
    // The runner takes the network as it is when it is called, before it waits for anything.
    const running = this.adapted.withMixed(batch, () => this.runner.run({ ...prepared, feeds }, options.signal));
    return namedOutputs(await running) as Outputs;
  }

  /** Bytes of the banks in which the adapters of the last mixed batch lie. */
  get bankBytes(): number {
    return this.adapted.bankBytes;
  }
  /** Inputs checked and converted as `forward` does it. */
  prepareInputs(inputs: ModelInputs, rows?: readonly number[]): PreparedInputs {
    return this.baseModel.prepareInputs(inputs, rows);
  }
  /** The parameters in force, the acting adapters' included. */
  namedParameters(): [string, Parameter][] {
    return this.baseModel.namedParameters();
  }
  /** The trained parameters of the acting adapters, in groups that an optimiser treats alike. */
  trainedGroups(): TrainedGroup[] {
    return this.adapted.acting.flatMap((adapter) => adapter.groups());
  }
  /** The factors of low rank of the acting adapters, for optimisers that treat the two of a pair differently. */
  factorPairs(): FactorPair[] {
    return this.adapted.acting.flatMap(({ injection }) => injection.factorPairs ?? []);
  }
  /** What the methods of the acting adapters do after each update. */
  afterSteps(): AfterStep[] {
    const trained = this.adapted.acting.filter(({ isTrainable, isMerged }) => isTrainable && !isMerged);
    return trained.flatMap(({ injection: { afterStep } }) => (afterStep ? [afterStep] : []));
  }
  /** Ends the engine and frees its memory. The model keeps what was trained, and the next call starts another engine. */
  dispose(): Promise<void> {
    return this.baseModel.dispose();
  }

  /** [trainable, all] numbers, counted as PEFT counts: copies of saved modules besides their originals. */
  getNbTrainableParameters(options: CountOptions = {}): [trainable: number, all: number] {
    const { trainable, all } = countParameters(this.adapted, options);
    return [trainable, all];
  }
  /** PEFT's line, e.g. "trainable params: 667,493 || all params: 86,543,818 || trainable%: 0.7713". */
  trainableParametersLine(options: CountOptions = {}): string {
    return trainableLine(countParameters(this.adapted, options));
  }
  /** Prints PEFT's line. */
  printTrainableParameters(options: CountOptions = {}): void {
    console.log(this.trainableParametersLine(options));
  }

  /**
   * Adds a fresh adapter; the first one acts at once, others after `setAdapter`.
   * @throws GraftError `invalid-argument` (the name, the seed, no config of a method, adapters are disabled),
   *   `target-modules-not-found`, `invalid-config`, `unsupported`
   */
  addAdapter(
    adapterName: string,
    config: AdapterConfig,
    { seed = 0, initTokenIds, withWeights = true, onWarning = console.warn }: PeftOptions = {},
  ): void {
    this.attach(adapterName, requireConfig(config), withWeights ? { seed, initTokenIds } : null, onWarning);
    this.activateFirst(adapterName);
  }

  private attach(adapterName: string, config: AdapterConfig, beginning: Beginning | null, onWarning: OnWarning): void {
    const tuner = requireTuner(config.peftType, "the config");
    const fitting = tuner.fitted?.(config, this.network, onWarning) ?? config;
    this.adapted.add(adapterName, tuner, fitting, !config.inferenceMode, beginning);
    const remarks = [...idleExclusion(this.adapted.modules(), config), ...this.adapted.get(adapterName).remarks];
    for (const remark of remarks) onWarning(remark);
  }

  private activateFirst(adapterName: string): void {
    if (this.adapted.activeAdapters.length === 0) this.adapted.activate([adapterName]);
  }

  /**
   * Loads another adapter from a folder or from the Hub; the first one acts at once, others after `setAdapter`.
   * @throws GraftError as `fromPretrained`, `invalid-argument` for a name that is taken and while adapters are disabled
   */
  async loadAdapter(
    folder: string | AdapterFolder,
    {
      adapterName = DEFAULT_ADAPTER,
      isTrainable = false,
      onWarning = console.warn,
      ...opening
    }: LoadAdapterOptions = {},
  ): Promise<void> {
    const opened = typeof folder === "string" ? await AdapterFolder.open(folder, opening) : folder;
    const config = opened.config(onWarning);
    const absent = absentSavedModules(this.adapted.modules(), config);
    if (absent.length > 0) {
      onWarning(
        `${opened.origin}: modules_to_save names ${absent.join(", ")}, which this model does not have: left out`,
      );
    }
    const fitting = config.with({
      inferenceMode: !isTrainable,
      modulesToSave: config.modulesToSave?.filter((name) => !absent.includes(name)) ?? null,
    });
    // Shapes alone until the file's header has been compared with them: a config may claim any rank.
    this.attach(adapterName, fitting, null, onWarning);
    try {
      await this.readWeights(adapterName, opened, onWarning);
      this.activateFirst(adapterName);
    } catch (error) {
      this.adapted.remove(adapterName);
      throw error;
    }
  }

  /**
   * Writes what `savePretrained` writes, and beside it what training needs and that leaves out: where an encoder makes a
   * prompt, PEFT's file holds the prompt alone, and of AdaLoRA's tensors the ranks that are left. Training goes on from such
   * a folder to the bit.
   * @throws GraftError as `savePretrained`
   */
  async saveTrained(folder: string): Promise<void> {
    await this.savePretrained(folder);
    for (const name of this.adapted.requireNames()) {
      await saveTrainedTensors(this.adapted.get(name), this.folderOf(name, folder));
    }
  }

  /**
   * Gives the adapters that are there the weights of a folder that `saveTrained` wrote: back to a checkpoint.
   * @throws GraftError `adapter-mismatch`, `file-not-found`, `invalid-safetensors`, `invalid-argument` without adapters,
   *   `unsupported` for a folder that lacks what is trained
   * @internal
   */
  async loadTrained(folder: string): Promise<void> {
    for (const name of this.adapted.requireNames()) {
      const path = this.folderOf(name, folder);
      const adapter = this.adapted.get(name);
      if (adapter.tuner.isWholeModel) await readWholeModel(path, adapter);
      else await this.readWeights(name, await AdapterFolder.open(path), console.warn);
    }
  }

  private folderOf(adapterName: string, folder: string): string {
    return adapterName === DEFAULT_ADAPTER ? folder : subfolder(folder, adapterName);
  }

  /** As `getPeftModelStateDict`, which is its public name. @internal */
  async stateDict({ adapterName = DEFAULT_ADAPTER, moduleNames = "v5" }: StateDictOptions): Promise<PeftStateDict> {
    const adapter = this.adapted.get(adapterName);
    await this.runner.syncFromEngine();
    return Object.fromEntries(await adapterStateDict(adapter, this.baseModel, moduleNames));
  }

  /** As `setPeftModelStateDict`, which is its public name. @internal */
  async loadStateDict(stateDict: Readonly<Record<string, TensorData>>, adapterName: string): Promise<void> {
    const adapter = this.adapted.get(adapterName);
    await this.runner.syncFromEngine();
    if (!adapter.isWholeInFile) {
      throw new GraftError(
        "unsupported",
        `a state dict of ${adapter.tuner.type} holds what was made of the trained tensors, not these: it cannot replace them`,
        "Load the adapter from its folder instead (loadAdapter).",
      );
    }
    const where = "the state dict";
    const tensors = matchAdapterTensors(Object.entries(stateDict), where, adapter, this.network, console.warn);
    for (const [parameter, { shape, ...tensor }] of tensors) {
      parameter.setData({ dtype: "float32", shape, data: toFloat32({ shape, ...tensor }).slice() });
    }
  }

  private async readWeights(adapterName: string, opened: AdapterFolder, onWarning: OnWarning): Promise<void> {
    const adapter = this.adapted.get(adapterName);
    const trained = await readTrainedTensors(opened, adapter);
    // The file's may be cut to other shapes.
    const elsewhere = new Set(trained.size > 0 ? adapter.trainedBeside().keys() : []);
    const saved = await readAdapterTensors(await opened.tensors(), adapter, this.network, onWarning, elsewhere);
    for (const [parameter, data] of [...saved, ...trained]) parameter.setData(data);
  }

  /**
   * Lets another loaded adapter act, or several at once, whose updates add up. One of the same layers and dropout needs
   * no new program, whatever its rank, and what the engine holds of it is not sent again.
   * @throws GraftError `invalid-argument` for an unknown name and while adapters are disabled, `unsupported` where two
   *   of several have their own copy of one parameter
   */
  async setAdapter(adapterName: string | readonly string[]): Promise<void> {
    const names = typeof adapterName === "string" ? [adapterName] : adapterName;
    for (const name of names) this.adapted.get(name);
    await this.runner.syncFromEngine();
    // Read after the wait: calls that overlap take effect one after the other.
    if (this.adapted.activeAdapters.join() === names.join()) return;
    this.adapted.unmerge();
    this.adapted.activate(names);
  }

  /**
   * Takes an adapter out; where it alone acted, the first of the others acts next.
   * @throws GraftError `invalid-argument` for an unknown name and while adapters are disabled
   */
  async deleteAdapter(adapterName: string): Promise<void> {
    this.adapted.get(adapterName);
    const { activeAdapters } = this.adapted;
    if (activeAdapters.includes(adapterName)) {
      const others = [...this.adapted.adapters.keys()].filter((name) => name !== adapterName);
      const next =
        activeAdapters.length > 1 ? activeAdapters.filter((name) => name !== adapterName) : others.slice(0, 1);
      this.adapted.unmerge();
      if (next.length > 0) await this.setAdapter(next);
    }
    const parameters = this.adapted.get(adapterName).everything();
    this.adapted.remove(adapterName);
    await this.runner.evict(parameters);
  }

  /**
   * Makes one adapter of several LoRA adapters, each times its weight, and adds it; `setAdapter` lets it act. What the
   * combination lacks is told: the error of "svd", the rough ones' cross terms.
   * @throws GraftError `invalid-argument` (names, weights, options that do not fit), `unsupported` for other methods, DoRA,
   *   trained biases, and where more than one adapter has modules of its own
   */
  async addWeightedAdapter(
    adapters: readonly string[],
    weights: readonly number[],
    adapterName: string,
    options: WeightedAdapterOptions = {},
  ): Promise<void> {
    const { onWarning = console.warn } = options;
    await this.runner.syncFromEngine();
    const sources = adapters.map((name) => this.adapted.get(name));
    const { config, factors, saved, remark } = await combineAdapters(sources, weights, options);
    this.attach(adapterName, config, null, onWarning);
    const { injection, copies } = this.adapted.get(adapterName);
    for (const [at, { a, b }] of (injection.factorPairs ?? []).entries()) {
      const combined = factors.get(injection.targets[at] as string);
      fill(a, combined?.a ?? new Float32Array(0), 0);
      fill(b, combined?.b ?? new Float32Array(0), 1);
    }
    for (const { original, copy } of copies) {
      const source = saved?.copyOf(original);
      if (source) copy.setData(await readParameter(source));
    }
    if (remark !== undefined) onWarning(`${adapterName}: ${remark}`);
  }

  /**
   * Saves adapters in PEFT's format: "default" into the folder itself, others into a folder of their name below.
   * @throws GraftError `missing-tensor` for a model without weights, `file-access`, `disk-full`, `invalid-argument`
   *   without adapters (after `mergeAndUnload`); `unsupported` for a conversion of what changes no weights, `adapter-mismatch`
   *   for the folder of another adapter
   */
  async savePretrained(folder: string, options: SaveOptions = {}): Promise<void> {
    const names = this.adapted.requireNames();
    await this.runner.syncFromEngine();
    for (const name of options.selectedAdapters ?? names) {
      await saveAdapter(this.adapted, name, this.folderOf(name, folder), this.baseModel, options);
    }
  }

  /**
   * Adds the acting adapters to the weights: the same outputs without their cost. `unmergeAdapter` takes that back.
   * @throws GraftError `invalid-argument` where no adapter acts, while adapters are disabled, and where another one is
   *   made active meanwhile; `unsupported` for a method that cannot be merged; `missing-tensor` for a model without
   *   weights; `not-finite` (safeMerge); `file-access`
   */
  async mergeAdapter(options: MergeOptions = {}): Promise<void> {
    await this.runner.syncFromEngine();
    await mergeActing(this.adapted, (write) => this.runner.compute(write), options);
  }
  /** What merging would change, made parameter by parameter: for writers that never hold a model whole. @internal */
  async mergedParameters(): Promise<ReadonlyMap<Parameter, () => Promise<TensorData<"float32">>>> {
    await this.runner.syncFromEngine();
    return mergedLazily(this.adapted, (write) => this.runner.compute(write));
  }
  /** Restores the weights from before `mergeAdapter`, to the bit. */
  unmergeAdapter(): void {
    this.adapted.unmerge();
  }
  /**
   * Merges the acting adapters for good and returns the plain model; this PeftModel is not to be used any more.
   * @throws GraftError as `mergeAdapter`
   */
  async mergeAndUnload(options: MergeOptions = {}): Promise<PreTrainedModel<Outputs>> {
    await this.mergeAdapter(options);
    this.adapted.unload();
    return this.baseModel;
  }
  /** The plain model without adapters; modules that were saved whole keep their trained values, as in PEFT. */
  async unload(): Promise<PreTrainedModel<Outputs>> {
    await this.runner.syncFromEngine();
    this.adapted.unmerge();
    this.adapted.unload();
    return this.baseModel;
  }

  /**
   * Runs a callback with the base model alone: `await peftModel.disableAdapter(() => peftModel(inputs))`.
   * As in PEFT, modules saved whole are the originals meanwhile, while biases that an adapter trains for as long as it is loaded stay.
   * Calls beside the callback compute without the adapters, too.
   * @throws GraftError `invalid-argument` from the callback for changes of adapters in it; what the callback throws
   */
  async disableAdapter<T>(callback: () => T | Promise<T>): Promise<T> {
    await this.runner.syncFromEngine();
    const restore = this.adapted.disable();
    try {
      return await callback();
    } finally {
      restore();
    }
  }

  /**
   * Multiplies the acting adapters' updates: 1 is as configured, 0 is none. No new program is compiled.
   * @throws GraftError `invalid-argument` while merged or disabled, and for a scale that is not finite; `unsupported`
   *   for a method that has no scale
   */
  setScale(scale: number): void {
    this.adapted.requireEnabled();
    if (!Number.isFinite(scale)) {
      throw new GraftError("invalid-argument", `the adapter's scale cannot be ${scale}`, "Give a finite number.");
    }
    const { acting } = this.adapted;
    if (acting.some(({ isMerged }) => isMerged)) {
      throw new GraftError(
        "invalid-argument",
        "the adapter is merged into the weights, so its scale cannot change",
        "Call unmergeAdapter first.",
      );
    }
    const rigid = acting.find(({ injection }) => injection.setScale === undefined);
    if (rigid) {
      throw new GraftError(
        "unsupported",
        `the adapter ${rigid.name} (${rigid.tuner.type}) has no scale`,
        "Switch it off with disableAdapter, or let another adapter act.",
      );
    }
    for (const adapter of acting) adapter.setScale(scale);
  }
}
