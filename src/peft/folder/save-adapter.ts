import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { outputPath } from "../../hub/index.js";
import { type NameVersion, type PreTrainedModel, readParameter, saveNetworkWith } from "../../models/index.js";
import { writeSafetensors } from "../../safetensors/write.js";
import type { TensorData } from "../../tensor-data.js";
import type { AdapterConfig, OnWarning } from "../config/config-class.js";
import type { AdaptedNetwork } from "../host/adapted-network.js";
import type { Adapter } from "../host/adapter.js";
import type { NamedModule } from "../matching/named-module.js";
import { hasTargets } from "../matching/select.js";
import { writtenTargets } from "../matching/written-targets.js";
import type { Elements, Unadjusted } from "../tuner.js";
import { AdapterFolder } from "./adapter-folder.js";
import { fileKey, readAdapterTensors } from "./adapter-tensors.js";
import { modelCard } from "./model-card.js";

/** Options of `PeftModel.savePretrained`. */
export interface SaveOptions {
  /**
   * How module names are spelled, where transformers 4 and 5 differ (ViT). "v5" (default) is what current transformers
   * and PEFT load, "v4" what older ones do.
   */
  readonly moduleNames?: NameVersion;
  /** Names of the adapters to save; all by default. */
  readonly selectedAdapters?: readonly string[];
  /**
   * Saves an adapter that changes base weights (PiSSA, OLoRA) as a plain LoRA of twice the rank, which leaves them alone:
   * the folder of the adapter as it was saved before training; true: what was taken out of the weights is computed anew.
   * The folder is read and never changed.
   */
  readonly pathInitialModelForWeightConversion?: string | true;
}

type Model = Pick<PreTrainedModel, "config" | "network" | "nameOrPath">;

/** The name of a module or parameter in a spelling. */
function speller({ network }: Model, moduleNames: NameVersion): (name: string) => string {
  return moduleNames === "v4" ? (name) => name : network.names.toV5;
}

/** Names of saved modules as the written spelling has them; a name that picks something there stays. */
function writtenSavedModules(modules: readonly NamedModule[], names: readonly string[]): string[] {
  const written = modules.map((module) => module.names[0] as string);
  return names.flatMap((name) => {
    if (written.some((path) => path.endsWith(name))) return [name];
    const meant = modules.filter(({ module }) => module.path.endsWith(name)).map((module) => module.names[0] as string);
    return meant.length > 0 ? meant : [name];
  });
}

/** The config that describes an adapter to PEFT. */
function writtenConfig(
  network: AdaptedNetwork,
  name: string,
  model: Model,
  moduleNames: NameVersion,
  options: Readonly<Record<string, unknown>>,
): AdapterConfig {
  const { config: given, injection, tuner } = network.get(name);
  const config = given.with({ ...injection.learnt?.(), ...options });
  const spell = speller(model, moduleNames);
  const { modelType } = model.config;
  const modules = network.modules((path) => (moduleNames === "v4" ? [path] : model.network.names.paths(path).slice(1)));
  const modulesToSave = config.modulesToSave && writtenSavedModules(modules, config.modulesToSave);
  const spelled = tuner.writtenConfig?.(config, injection, spell, modelType) ?? config;
  const saving = spelled.with({ modulesToSave });
  const targets =
    tuner.targets && hasTargets(saving)
      ? writtenTargets(modules, injection.targets.map(spell), saving, tuner.targets, modelType)
      : {};
  const autoMapping = {
    base_model_class: model.network.className,
    parent_library: `transformers.models.${modelType}.modeling_${modelType}`,
  };
  return saving.with(
    { ...targets, baseModelNameOrPath: config.baseModelNameOrPath ?? model.nameOrPath, inferenceMode: true },
    config.taskType === null ? autoMapping : null,
  );
}

/** The base model with an adapter's copies in their places, as a model's folder. */
function saveWhole({ copies }: Adapter, { network }: Model, folder: string): Promise<void> {
  const copyOf = new Map(copies.map(({ original, copy }) => [original, copy]));
  return saveNetworkWith(network, folder, (parameter) => copyOf.get(parameter) ?? parameter);
}

/**
 * An adapter's tensors by their keys in adapter_model.safetensors.
 * @param elements those that stand in the place of parameters' own
 * @throws GraftError `missing-tensor` for a model without weights
 */
export async function adapterStateDict(
  adapter: Adapter,
  model: Model,
  moduleNames: NameVersion,
  elements?: Elements,
): Promise<Map<string, TensorData<"float32">>> {
  const spell = speller(model, moduleNames);
  const tensors = new Map<string, TensorData<"float32">>();
  for (const [key, parameter] of [...adapter.saved(), ...(adapter.injection.alongside ?? [])]) {
    tensors.set(fileKey(adapter, key, spell), elements?.get(parameter) ?? (await readParameter(parameter)));
  }
  return tensors;
}

/**
 * An adapter on a base whose weights it does not change.
 * @param initial the folder of the adapter before training; true: without one
 * @throws GraftError `unsupported` for one that changes no base weights, and what reading the folder throws
 */
async function onPlainBase(
  adapter: Adapter,
  { network }: Model,
  initial: string | true,
  onWarning: OnWarning,
): Promise<Unadjusted> {
  const { name, tuner, injection } = adapter;
  if (injection.unadjusted === undefined) {
    throw new GraftError(
      "unsupported",
      `the adapter ${name} (${tuner.type}) leaves the base's weights as they are, so there is nothing to convert`,
      "Save it without pathInitialModelForWeightConversion, or select another adapter (selectedAdapters).",
    );
  }
  if (initial === true) return injection.unadjusted();
  const file = await (await AdapterFolder.open(initial)).tensors();
  return injection.unadjusted(await readAdapterTensors(file, adapter, network, onWarning));
}

/**
 * Writes one adapter's folder: adapter_model.safetensors, adapter_config.json and a model card, each whole or not at
 * all, as PEFT 0.21 lays them out. Of a method that trains the model itself: a model's folder.
 * @throws GraftError `missing-tensor` for a model without weights, `file-access`, `disk-full`, and as `onPlainBase`
 */
export async function saveAdapter(
  network: AdaptedNetwork,
  name: string,
  folder: string,
  model: Model,
  { moduleNames = "v5", pathInitialModelForWeightConversion: initial }: SaveOptions,
): Promise<void> {
  const adapter = network.get(name);
  const plain = initial === undefined ? undefined : await onPlainBase(adapter, model, initial, console.warn);
  if (adapter.tuner.isWholeModel) return saveWhole(adapter, model, folder);
  const tensors = await adapterStateDict(adapter, model, moduleNames, plain?.elements);
  const config = writtenConfig(network, name, model, moduleNames, plain?.options ?? {});
  await platform.makeDirectory(folder);
  await writeSafetensors(outputPath(folder, "adapter_model.safetensors"), tensors, { format: "pt" });
  const json = JSON.stringify(config.toJson(), null, 2);
  await platform.writeFileAtomic(outputPath(folder, "adapter_config.json"), json);
  const base = config.baseModelNameOrPath;
  const tags = [...(base === null ? [] : [`base_model:adapter:${base}`]), adapter.tuner.name, "transformers"];
  await platform.writeFileAtomic(outputPath(folder, "README.md"), modelCard(base, tags, adapter.tuner));
}
