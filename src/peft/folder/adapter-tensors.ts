import { GraftError } from "../../errors.js";
import { listSome, type Network } from "../../models/index.js";
import type { Parameter } from "../../nn/index.js";
import type { SafetensorsEntry } from "../../safetensors/header.js";
import { readTensor, type SafetensorsFile } from "../../safetensors/read.js";
import { type TensorData, toFloat32 } from "../../tensor-data.js";
import type { OnWarning } from "../config/config-class.js";
import type { Adapter } from "../host/adapter.js";
import { keyDialect } from "./key-dialect.js";

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

/** A file's key as the module tree's: without a prefix, in transformers 4's names, blind to layers that were wrapped. */
function treeKey(key: string, toV4: (name: string) => string): string {
  return toV4(key.replace(/^base_model\.(model\.)?/, "")).replace(".base_layer.", ".");
}

export interface ReadingContext {
  readonly network: Network;
  /** A name in transformers 4's spelling. */
  readonly toV4: (name: string) => string;
  readonly onWarning: OnWarning;
}

/** Of an adapter that trains biases PEFT also writes those of layers that only other adapters went around: the base's. */
function isSpare(key: string, { copies }: Adapter, network: Network): boolean {
  if (!key.endsWith(".bias") || !copies.some(({ isPersistent }) => isPersistent)) return false;
  return [...network.parameters()].some(({ name }) => name === key);
}

/**
 * Reads the tensors of an adapter's file, strictly: nothing may be missing, left over, there twice, or of another shape.
 * Both spellings of module names are read.
 * @returns float32 elements by parameter
 * @throws GraftError `adapter-mismatch` naming the tensors that differ
 */
export async function readAdapterTensors(
  file: SafetensorsFile,
  adapter: Adapter,
  { network, toV4, onWarning }: ReadingContext,
): Promise<Map<Parameter, TensorData<"float32">>> {
  const expected = new Map(
    [...adapter.saved()].map(([key, parameter]) => [key.replace(".base_layer.", "."), parameter]),
  );
  const found = new Map<string, SafetensorsEntry>();
  const doubled: string[] = [];
  for (const [key, entry] of file.entries) {
    if (isRedundant(key)) continue;
    const name = treeKey(key, toV4);
    const other = found.get(name);
    if (other) doubled.push(`${other.name} and ${key}`);
    found.set(name, entry);
  }
  const missing = [...expected.keys()].filter((key) => !found.has(key));
  const others = [...found].filter(([key]) => !expected.has(key));
  const spare = others.filter(([key]) => isSpare(key, adapter, network)).map(([, entry]) => entry.name);
  const unexpected = others.map(([, entry]) => entry.name).filter((name) => !spare.includes(name));
  const mismatched = [...expected].flatMap(([key, { shape }]) => {
    const entry = found.get(key);
    const differs = entry && entry.shape.join() !== shape.join();
    return differs ? [`${key} is [${entry.shape}] in the file, [${shape}] in the model`] : [];
  });
  const faults = [
    ...(missing.length > 0 ? [`missing: ${listSome(missing)}`] : []),
    ...(unexpected.length > 0 ? [`without a place in the model: ${listSome(unexpected)}`] : []),
    ...(doubled.length > 0 ? [`two spellings of one: ${listSome(doubled)}`] : []),
    ...(mismatched.length > 0 ? [`of another shape: ${listSome(mismatched)}`] : []),
  ];
  if (faults.length > 0) {
    throw new GraftError(
      "adapter-mismatch",
      `${file.files[0]} does not fit this model; tensors ${faults.join("; ")}`,
      keyDialect(unexpected, new Set(missing)) ??
        "The adapter was made for another base, or its adapter_config.json is another adapter's. Load the base model " +
          "that the config names, with the same number of labels.",
    );
  }
  if (spare.length > 0)
    onWarning(`${file.files[0]}: biases that the adapter does not train are left out: ${listSome(spare)}`);
  const tensors = new Map<Parameter, TensorData<"float32">>();
  for (const [key, parameter] of expected) {
    const data = toFloat32(await readTensor(found.get(key) as SafetensorsEntry));
    tensors.set(parameter, { dtype: "float32", shape: parameter.shape, data });
  }
  return tensors;
}
