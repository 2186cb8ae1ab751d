import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { requireFile, resolveModelFolder } from "../hub/model-folder.js";
import { shown } from "../json.js";
import {
  Callable,
  type ModelConfig,
  type ModelInputs,
  type ModelOutputs,
  modulePaths,
  type Network,
  type PreparedInputs,
  type PreTrainedModel,
  type Runner,
  toV4Name,
} from "../models/index.js";
import type { Parameter } from "../nn/index.js";
import { openSafetensors, type SafetensorsFile } from "../safetensors/read.js";
import type { AdapterConfig, OnWarning } from "./config/config-class.js";
import { readAdapterConfig } from "./config/read-config.js";
import { type CountOptions, countParameters, trainableLine } from "./counts.js";
import { readAdapterTensors, readWholeModel } from "./folder/adapter-tensors.js";
import { type SaveOptions, saveAdapter } from "./folder/save-adapter.js";
import { readTrainingState, writeTrainingState } from "./folder/training-state.js";
import { AdaptedNetwork } from "./host/adapted-network.js";
import { type MergeOptions, mergeActing } from "./host/merging.js";
import { absentSavedModules } from "./matching/saved-modules.js";
import type { AfterStep, TrainedGroup } from "./tuner.js";
import { requireTuner, tuners } from "./tuners/registry.js";

/** The name of an adapter that was given none. */
const DEFAULT_ADAPTER = "default";

/** Options of `getPeftModel` and `addAdapter`. */
export interface PeftOptions {
  /** Default "default". */
  readonly adapterName?: string;
  /** Of the adapter's initial values. Default 0. */
  readonly seed?: number;
  /** Receives remarks. Default console.warn. */
  readonly onWarning?: OnWarning;
}

/** Options of `PeftModel.fromPretrained` and `loadAdapter`. */
export interface LoadAdapterOptions extends Omit<PeftOptions, "seed"> {
  /** Whether training goes on; false (default): for prediction. */
  readonly isTrainable?: boolean;
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
    "Make one: new LoraConfig({ r: 8, ... }).",
  );
}

/**
 * A model with adapters, called like the model itself: `const { logits } = await peftModel({ inputIds })`.
 * Methods are named and behave as in Hugging Face PEFT.
 */
export class PeftModel<Outputs extends ModelOutputs = ModelOutputs> extends Callable<ModelInputs, Promise<Outputs>> {
  private readonly adapted: AdaptedNetwork;

  /** Use `getPeftModel` or `PeftModel.fromPretrained`. */
  constructor(private readonly baseModel: PreTrainedModel<Outputs>) {
    super();
    const { network, config, runner } = baseModel;
    if (network.guests.size > 0) {
      throw new GraftError(
        "invalid-argument",
        "the model has adapters already",
        "Use addAdapter or loadAdapter of its PeftModel, or unload that one first.",
      );
    }
    const namesOf = (path: string) => modulePaths(config.modelType, path);
    this.adapted = new AdaptedNetwork(network, namesOf, (write) => runner.compute(write));
  }

  /**
   * Loads a folder in PEFT's format onto its base model. Every tensor must fit; module names of transformers 4 and 5
   * are both read. Names in modules_to_save that the model does not have are left out with a remark.
   * @throws GraftError `adapter-mismatch` naming the tensors that differ, `unsupported` naming the field or method,
   *   `pickle-refused`, `target-modules-not-found`, and what opening the files throws
   */
  static async fromPretrained<Outputs extends ModelOutputs>(
    model: PreTrainedModel<Outputs>,
    folder: string,
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
  /** The base model's: compiles and runs programs. */
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
  /** The model below. It computes with the adapters while they are in it. */
  getBaseModel(): PreTrainedModel<Outputs> {
    return this.baseModel;
  }

  /** Evaluation pass, as the base model's. */
  forward(inputs: ModelInputs, options: { readonly signal?: AbortSignal } = {}): Promise<Outputs> {
    return this.baseModel.forward(inputs, options);
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
    { seed = 0, onWarning = console.warn }: PeftOptions = {},
  ): void {
    this.attach(adapterName, requireConfig(config), seed, onWarning);
    this.activateFirst(adapterName);
  }

  private attach(adapterName: string, config: AdapterConfig, seed: number | null, onWarning: OnWarning): void {
    const tuner = requireTuner(config.peftType, "the config");
    const fitting = tuner.fitted?.(config, this.network, onWarning) ?? config;
    this.adapted.add(adapterName, tuner, fitting, !config.inferenceMode, seed);
  }

  private activateFirst(adapterName: string): void {
    if (this.adapted.activeAdapters.length === 0) this.adapted.activate([adapterName]);
  }

  /**
   * Loads another adapter from a folder; the first one acts at once, others after `setAdapter`.
   * @throws GraftError as `fromPretrained`, `invalid-argument` for a name that is taken and while adapters are disabled
   */
  async loadAdapter(
    folder: string,
    { adapterName = DEFAULT_ADAPTER, isTrainable = false, onWarning = console.warn }: LoadAdapterOptions = {},
  ): Promise<void> {
    const config = await readAdapterConfig(folder, onWarning);
    const files = await resolveModelFolder(folder, "adapter");
    const weights = await openSafetensors(requireFile(files, "adapter_model.safetensors", "the adapter's weights"));
    const absent = absentSavedModules(this.adapted.modules(), config);
    if (absent.length > 0) {
      onWarning(`${folder}: modules_to_save names ${absent.join(", ")}, which this model does not have: left out`);
    }
    const fitting = config.with({
      inferenceMode: !isTrainable,
      modulesToSave: config.modulesToSave?.filter((name) => !absent.includes(name)) ?? null,
    });
    // Shapes alone until the file's header has been compared with them: a config may claim any rank.
    this.attach(adapterName, fitting, null, onWarning);
    try {
      await this.readWeights(adapterName, weights, onWarning);
      this.activateFirst(adapterName);
    } catch (error) {
      this.adapted.remove(adapterName);
      throw error;
    }
  }

  /**
   * Gives the adapters that are there the weights of a folder that `savePretrained` wrote: back to a checkpoint.
   * @throws GraftError `adapter-mismatch`, `file-not-found`, `invalid-safetensors`, `invalid-argument` without adapters
   */
  async loadWeights(folder: string): Promise<void> {
    const names = this.adapted.requireNames();
    const done = await readTrainingState(
      folder,
      names.map((name) => this.adapted.get(name)),
    );
    for (const name of names.filter((one) => !done.includes(this.adapted.get(one)))) {
      const path = name === DEFAULT_ADAPTER ? folder : platform.join(folder, name);
      const adapter = this.adapted.get(name);
      if (adapter.tuner.isWholeModel) {
        await readWholeModel(path, adapter);
        continue;
      }
      const files = await resolveModelFolder(path, "adapter");
      const file = requireFile(files, "adapter_model.safetensors", "the adapter's weights");
      await this.readWeights(name, await openSafetensors(file), console.warn);
    }
  }

  private async readWeights(adapterName: string, weights: SafetensorsFile, onWarning: OnWarning): Promise<void> {
    const toV4 = (name: string): string => toV4Name(this.config.modelType, name);
    const context = { network: this.network, toV4, onWarning };
    const tensors = await readAdapterTensors(weights, this.adapted.get(adapterName), context);
    for (const [parameter, data] of tensors) parameter.setData(data);
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
   * Saves adapters in PEFT's format: "default" into the folder itself, others into a folder of their name below.
   * @throws GraftError `missing-tensor` for a model without weights, `file-access`, `disk-full`, `invalid-argument`
   *   without adapters (after `mergeAndUnload`)
   */
  async savePretrained(folder: string, { moduleNames = "v5", selectedAdapters }: SaveOptions = {}): Promise<void> {
    const names = this.adapted.requireNames();
    await this.runner.syncFromEngine();
    for (const name of selectedAdapters ?? names) {
      const path = name === DEFAULT_ADAPTER ? folder : platform.join(folder, name);
      await saveAdapter(this.adapted, name, path, this.baseModel, moduleNames);
    }
  }

  /**
   * Writes what training needs besides the adapters' files into a checkpoint's folder; `loadWeights` reads it there.
   * @throws GraftError `file-access`, `disk-full`
   */
  async saveTrainingState(folder: string): Promise<void> {
    await this.runner.syncFromEngine();
    await writeTrainingState(folder, this.adapted.adapters.values());
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
   * As in PEFT, modules saved whole are the originals meanwhile, while biases that LoRA trains stay trained.
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
