import { GraftError } from "../../errors.js";
import { resolveFiles } from "../../hub/index.js";
import { architectures, listSome, modelTypes, type Network } from "../../models/index.js";
import { nearest } from "../../nearest.js";
import type { Parameter } from "../../nn/index.js";
import { type SafetensorsEntry, unreadableTensor } from "../../safetensors/header.js";
import { openSafetensors, readTensor, type SafetensorsFile } from "../../safetensors/read.js";
import { type TensorData, toFloat32 } from "../../tensor-data.js";
import type { OnWarning } from "../config/config-class.js";
import type { Adapter } from "../host/adapter.js";
import { repairKeys, repairsText } from "./key-dialect.js";

/** What PEFT puts before every name of a model's parameters. */
const PREFIX = "base_model.model.";

/**
 * The name of a tensor in adapter_model.safetensors.
 * @param key its name in the module tree
 * @param spell from transformers 4's name to the one written
 */
export function fileKey({ tuner }: Adapter, key: string, spell: (name: string) => string): string {
  const spelled = spell(key);
  return tuner.fileKey?.(spelled) ?? PREFIX + spelled;
}

/** Copies of the head's biases that PEFT writes besides those it reads. */
const isRedundant = (key: string): boolean => /\.(modules_to_save|original_module)\./.test(key);

/** The base's own values beside a saved module's. */
const isOriginal = (key: string): boolean => /\.original_module\./.test(key);

/** What a model with a head puts before the names of its body. */
function basePrefixOf({ config: { modelType } }: Network): string {
  const known = modelTypes.find((type) => type === modelType);
  return known === undefined ? "" : architectures[known].basePrefix;
}

/** A missing tensor, with what the file has that comes nearest. */
function missingText(names: readonly string[], others: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => {
    const [near] = nearest(name, others, 1);
    return near === undefined ? name : `${name} (nearest: ${near})`;
  });
  return listSome([...shown, ...names.slice(3)], 3);
}

/** A file's key as the module tree's: without a prefix, in transformers 4's names, blind to layers that were wrapped. */
function treeKey(key: string, toV4: (name: string) => string): string {
  return toV4(key.replace(/^base_model\.(model\.)?/, "")).replace(".base_layer.", ".");
}

/** Of an adapter that trains biases PEFT also writes those of layers that only other adapters went around: the base's. */
function isSpare(key: string, { copies }: Adapter, network: Network): boolean {
  if (!key.endsWith(".bias") || !copies.some(({ isPersistent }) => isPersistent)) return false;
  return [...network.parameters()].some(({ name }) => name === key);
}

/** What is known of a tensor before its elements are read. */
interface Described {
  readonly shape: readonly number[];
}

/**
 * Finds an adapter's tensors among those of a file or of a state dict, strictly: nothing may be missing, left over, there
 * twice, or of another shape. Both spellings of module names are read, and names of other dialects where they
 * leave no doubt, which is said.
 * @param onWarning told of tensors that are left out
 * @param where names the tensors' place in messages
 * @param elsewhere keys of tensors whose elements are known from elsewhere: they must be there, and are not returned
 * @throws GraftError `adapter-mismatch` naming the tensors that differ
 */
export function matchAdapterTensors<T extends Described>(
  tensors: Iterable<readonly [key: string, tensor: T]>,
  where: string,
  adapter: Adapter,
  network: Network,
  onWarning: OnWarning,
  elsewhere: ReadonlySet<string> = new Set(),
): Map<Parameter, T> {
  const expected = new Map(
    [...adapter.saved()].map(([key, parameter]) => [key.replace(".base_layer.", "."), parameter]),
  );
  const toTree = (key: string): string => treeKey(key, network.names.toV4);
  const found = new Map<string, { readonly key: string; readonly tensor: T }>();
  const doubled: string[] = [];
  const place = (name: string, key: string, tensor: T): void => {
    const other = found.get(name);
    if (other) doubled.push(`${other.key} and ${key}`);
    found.set(name, { key, tensor });
  };
  const strange = new Map<string, T>();
  for (const [key, tensor] of tensors) {
    const isPlain = /^base_model\.|^[^.]+$/.test(key) && !isRedundant(key);
    if (isPlain && expected.has(toTree(key))) place(toTree(key), key, tensor);
    else if (!isOriginal(key)) strange.set(key, tensor);
  }
  const open = [...expected.keys()].filter((name) => !found.has(name));
  const repairs = repairKeys(strange.keys(), open, basePrefixOf(network), toTree);
  for (const [key, tensor] of strange) {
    const name = repairs.names.get(key);
    if (name !== undefined || !isRedundant(key)) place(name ?? toTree(key), key, tensor);
  }
  const missing = [...expected.keys()].filter((key) => !found.has(key));
  const alongside = [...(adapter.injection.alongside?.keys() ?? [])].map((key) => key.replace(".base_layer.", "."));
  const others = [...found].filter(([name]) => !expected.has(name) && !alongside.includes(name));
  const spare = others.filter(([name]) => isSpare(name, adapter, network)).map(([, { key }]) => key);
  const unexpected = others.map(([, { key }]) => key).filter((key) => !spare.includes(key));
  const wanted = [...expected].filter(([key]) => !elsewhere.has(key));
  const mismatched = wanted.flatMap(([key, { shape }]) => {
    const tensor = found.get(key)?.tensor;
    const differs = tensor && tensor.shape.join() !== shape.join();
    return differs ? [`${key} is [${tensor.shape}] in the file, [${shape}] in the model`] : [];
  });
  const faults = [
    ...(missing.length > 0 ? [`missing: ${missingText(missing, unexpected)}`] : []),
    ...(unexpected.length > 0 ? [`without a place in the model: ${listSome(unexpected)}`] : []),
    ...(doubled.length > 0 ? [`two spellings of one: ${listSome(doubled)}`] : []),
    ...(mismatched.length > 0 ? [`of another shape: ${listSome(mismatched)}`] : []),
  ];
  if (faults.length > 0) {
    throw new GraftError(
      "adapter-mismatch",
      `${where} does not fit this model; tensors ${faults.join("; ")}`,
      "The adapter was made for another base, or its adapter_config.json is another adapter's. Load the base model " +
        "that the config names, with the same number of labels.",
    );
  }
  if (repairs.said.size > 0) onWarning(`${where}: names repaired: ${repairsText(repairs)}`);
  if (spare.length > 0) onWarning(`${where}: biases that the adapter does not train are left out: ${listSome(spare)}`);
  return new Map(wanted.map(([key, parameter]) => [parameter, found.get(key)?.tensor as T]));
}

/**
 * Reads the tensors of an adapter's file, as strictly as `matchAdapterTensors`.
 * @returns float32 elements by parameter
 * @throws GraftError `adapter-mismatch`, `unsupported` for a tensor of a dtype that Graft does not read
 */
export async function readAdapterTensors(
  file: SafetensorsFile,
  adapter: Adapter,
  network: Network,
  onWarning: OnWarning,
  elsewhere?: ReadonlySet<string>,
): Promise<Map<Parameter, TensorData<"float32">>> {
  const path = file.files[0] as string;
  for (const [key, dtype] of file.unreadable) throw unreadableTensor(key, dtype, path);
  const tensors = new Map<Parameter, TensorData<"float32">>();
  for (const [parameter, entry] of matchAdapterTensors(file.entries, path, adapter, network, onWarning, elsewhere)) {
    tensors.set(parameter, { dtype: "float32", shape: parameter.shape, data: toFloat32(await readTensor(entry)) });
  }
  return tensors;
}

/**
 * Gives an adapter that trains the model itself the weights of a model folder that it was saved as.
 * @throws GraftError `adapter-mismatch` naming the tensors that are missing or of another shape, `file-not-found`
 */
export async function readWholeModel(folder: string, { copies }: Adapter): Promise<void> {
  const files = await resolveFiles(folder, "model");
  const { entries } = await openSafetensors(await files.path("model.safetensors", "the model's weights"));
  const wrong = copies.filter(({ original: { name, shape } }) => entries.get(name)?.shape.join() !== shape.join());
  if (wrong.length > 0) {
    throw new GraftError(
      "adapter-mismatch",
      `${folder} does not fit this model; tensors missing or of another shape: ${listSome(wrong.map(({ original }) => original.name))}`,
      "Name a folder that savePretrained wrote of the same model.",
    );
  }
  for (const { original, copy } of copies) {
    const data = toFloat32(await readTensor(entries.get(original.name) as SafetensorsEntry));
    copy.setData({ dtype: "float32", shape: copy.shape, data });
  }
}
