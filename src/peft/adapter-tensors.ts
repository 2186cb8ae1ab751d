import { GraftError } from "../errors.js";
import { listSome } from "../models/index.js";
import type { Parameter } from "../nn/index.js";
import type { SafetensorsEntry } from "../safetensors/header.js";
import { readTensor, type SafetensorsFile } from "../safetensors/read.js";
import { type TensorData, toFloat32 } from "../tensor-data.js";
import type { AdaptedNetwork } from "./adapted-network.js";

/** What PEFT puts before every name of a model's parameters. */
const PREFIX = "base_model.model.";

/** The parameters that an adapter's file holds: matrices, copies of saved modules, trained biases. */
export function fileParameters(network: AdaptedNetwork, adapterName: string): Parameter[] {
  return [...network.adapterParameters(adapterName), ...network.trainedBiases(adapterName)];
}

/**
 * The name of a parameter in adapter_model.safetensors: PEFT's prefix, the path in the spelling asked for, and
 * `base_layer` before the bias of a wrapped layer.
 * @param spell from transformers 4's name to the one written
 */
export function fileKey(network: AdaptedNetwork, parameter: Parameter, spell: (name: string) => string): string {
  const isWrapped = network.layers().some(({ base }) => base.bias === parameter);
  const key = PREFIX + spell(parameter.name);
  return isWrapped ? key.replace(/\.bias$/, ".base_layer.bias") : key;
}

/** Copies of the head's biases that PEFT writes besides those it reads. */
const isRedundant = (key: string): boolean => /\.(modules_to_save|original_module)\./.test(key);

function parameterName(key: string, toV4: (name: string) => string): string {
  return toV4(key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key).replace(".base_layer.", ".");
}

/**
 * Reads the tensors of an adapter's file for its parameters, strictly: nothing may be missing, left over, there
 * twice, or of another shape. Both spellings of module names are read.
 * @returns float32 elements by parameter
 * @throws GraftError `adapter-mismatch` naming the tensors that differ
 */
export async function readAdapterTensors(
  file: SafetensorsFile,
  expected: readonly Parameter[],
  toV4: (name: string) => string,
): Promise<Map<Parameter, TensorData<"float32">>> {
  const found = new Map<string, SafetensorsEntry>();
  const doubled: string[] = [];
  for (const [key, entry] of file.entries) {
    if (isRedundant(key)) continue;
    const name = parameterName(key, toV4);
    const other = found.get(name);
    if (other) doubled.push(`${other.name} and ${key}`);
    found.set(name, entry);
  }
  const pairs = expected.map((parameter) => [parameter, found.get(parameter.name)] as const);
  const missing = pairs.filter(([, entry]) => !entry).map(([parameter]) => parameter.name);
  const names = new Set(expected.map((parameter) => parameter.name));
  const unexpected = [...found].filter(([name]) => !names.has(name)).map(([, entry]) => entry.name);
  const mismatched = pairs.flatMap(([parameter, entry]) =>
    entry && entry.shape.join() !== parameter.shape.join()
      ? [`${parameter.name} is [${entry.shape}] in the file, [${parameter.shape}] in the model`]
      : [],
  );
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
      "The adapter was made for another base, or its adapter_config.json is another adapter's. Load the base model " +
        "that the config names, with the same number of labels.",
    );
  }
  const tensors = new Map<Parameter, TensorData<"float32">>();
  for (const [parameter, entry] of pairs) {
    if (!entry) continue;
    const data = toFloat32(await readTensor(entry));
    tensors.set(parameter, { dtype: "float32", shape: parameter.shape, data });
  }
  return tensors;
}
