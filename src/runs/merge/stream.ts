import { platform } from "#platform";
import { type ModelFiles, openWeights, resolveFiles, writeJson } from "../../hub/index.js";
import {
  architectures,
  configToWrite,
  floatKeys,
  matchNames,
  modelTypes,
  type Network,
  type Parameter,
  readParameter,
} from "../../models/index.js";
import type { PeftModel } from "../../peft/index.js";
import type { SafetensorsEntry } from "../../safetensors/header.js";
import { readTensor, type SafetensorsFile } from "../../safetensors/read.js";
import { type WritableTensor, writeSafetensors } from "../../safetensors/write.js";
import {
  bytesPerElement,
  type DType,
  elementCount,
  floatDTypes,
  fromFloat32,
  type TensorData,
  toFloat32,
} from "../../tensor-data.js";
import { requireFiniteElements } from "../models/finite.js";

/** What becomes of a tensor. */
export const mergeActions = ["merged", "replaced", "added", "kept"] as const;

export type MergeAction = (typeof mergeActions)[number];

/** What a merge wrote. */
export interface MergeReport {
  /** Tensors of the written model, in the order of its files. */
  readonly tensors: readonly { readonly name: string; readonly dtype: DType; readonly action: MergeAction }[];
  /** Names of the written files of weights. */
  readonly files: readonly string[];
  readonly parameters: number;
  readonly bytes: number;
}

type Made = () => Promise<TensorData<"float32">>;

const isFloat = (dtype: DType): dtype is "float32" | "float16" | "bfloat16" =>
  dtype === "float32" || dtype === "float16" || dtype === "bfloat16";

/** Parameters by the names that the checkpoint has for them, tied ones by all of theirs. */
function parametersInFile(network: Network, names: Iterable<string>): Map<string, Parameter> {
  const all = new Map<string, Parameter>([...network.parameters()].map((parameter) => [parameter.name, parameter]));
  for (const [name, parameter] of network.tiedParameters()) all.set(name, parameter);
  const type = modelTypes.find((one) => one === network.config.modelType);
  const basePrefix = type === undefined ? "" : architectures[type].basePrefix;
  const { found } = matchNames(names, new Set(all.keys()), network.names, basePrefix);
  return new Map([...found].map(([parameter, tensor]) => [tensor, all.get(parameter) as Parameter]));
}

/** Elements that are made in float32, in the dtype that the checkpoint keeps the tensor in. */
function remade(parameter: Parameter, dtype: DType, origin: string, make: Made): WritableTensor {
  const kept = isFloat(dtype) ? dtype : "float32";
  const { shape } = parameter;
  const load = async (): Promise<TensorData> => {
    const { data } = await make();
    requireFiniteElements(parameter.name, data, origin);
    return { dtype: kept, shape, data: fromFloat32(kept, data) };
  };
  return { dtype: kept, shape, load };
}

/** The written name of a file of weights: pickles become safetensors. */
const writtenName = (path: string): string =>
  platform
    .basename(path)
    .replace(/^pytorch_model/, "model")
    .replace(/\.bin$/, ".safetensors");

const isWeights = (name: string): boolean =>
  /\.(safetensors|bin|pt|pth|h5|msgpack|ckpt|onnx|gguf|onnx_data)$/.test(name) || name.endsWith(".index.json");

/** Copies what lies beside the weights: tokenizer, processor, templates, licences. */
async function copyBeside(files: ModelFiles, folder: string): Promise<void> {
  for (const { name, isDirectory } of await platform.listDirectory(files.origin)) {
    if (isDirectory || name === "config.json" || name.startsWith(".") || isWeights(name)) continue;
    const bytes = await platform.readFile(files.beside(name));
    await platform.writeFileAtomic(platform.join(folder, name), bytes);
  }
}

/**
 * Writes a base model with the acting adapters in its weights, tensor by tensor: in the checkpoint's own files, names, order and
 * dtypes. What no adapter changes is copied; what one does is computed in float32 by the engine and rounded to the dtype that
 * the tensor had. One tensor at a time is in memory.
 * @param base folder of the base model
 * @param adapter names the adapter in messages
 * @throws GraftError `unsupported` for methods that cannot be merged, `not-finite`, `file-access`, `disk-full`
 */
export async function writeMerged(
  peft: PeftModel,
  base: string,
  folder: string,
  adapter: string,
): Promise<MergeReport> {
  const origin = `${adapter} on ${base}`;
  const files = await resolveFiles(base, "model");
  const checkpoint: SafetensorsFile = await openWeights(files);
  const { network, config } = peft;
  const made = await peft.mergedParameters();
  const copied = new Set([...network.parameters()].filter(({ standIn }) => standIn !== null));
  const inFile = parametersInFile(network, checkpoint.entries.keys());
  const shards = new Map(checkpoint.files.map((file) => [file, new Map<string, WritableTensor>()]));
  const tensors: { name: string; dtype: DType; action: MergeAction }[] = [];
  const put = (file: string, name: string, tensor: WritableTensor, action: MergeAction): void => {
    shards.get(file)?.set(name, tensor);
    tensors.push({ name, dtype: tensor.dtype, action });
  };
  for (const [name, entry] of checkpoint.entries) {
    const parameter = inFile.get(name);
    const make = parameter && made.get(parameter);
    if (parameter && make) {
      put(
        entry.file,
        name,
        remade(parameter, entry.dtype, origin, make),
        copied.has(parameter) ? "replaced" : "merged",
      );
    } else if (parameter && parameter.shape.join() !== entry.shape.join()) {
      put(
        entry.file,
        name,
        remade(parameter, entry.dtype, origin, () => readParameter(parameter)),
        "replaced",
      );
    } else put(entry.file, name, asItIs(entry, origin), "kept");
  }
  const last = checkpoint.files.at(-1) as string;
  const present = new Set(inFile.values());
  for (const parameter of network.parameters()) {
    if (present.has(parameter)) continue;
    put(
      last,
      parameter.name,
      remade(parameter, "float32", origin, made.get(parameter) ?? (() => readParameter(parameter))),
      "added",
    );
  }
  const names: string[] = [];
  for (const [file, own] of shards) {
    const name = shards.size === 1 ? "model.safetensors" : writtenName(file);
    names.push(name);
    await writeSafetensors(platform.join(folder, name), own, { format: "pt" });
  }
  const all = [...shards.values()].flatMap((own) => [...own.values()]);
  const bytes = all.reduce((sum, { shape, dtype }) => sum + elementCount(shape) * bytesPerElement(dtype), 0);
  const parameters = all.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  if (shards.size > 1) await writeIndex(folder, shards, bytes);
  const { dtype = config.raw.torch_dtype ?? "float32" } = config.raw;
  await writeJson(
    platform.join(folder, "config.json"),
    { ...configToWrite(config, network.className), dtype },
    floatKeys,
  );
  await copyBeside(files, folder);
  return { tensors, files: names, parameters, bytes };
}

/** A tensor whose bytes stay as they are, where they are numbers that a model can use. */
function asItIs(entry: SafetensorsEntry, origin: string): WritableTensor {
  const { dtype, shape, name } = entry;
  const load = async (): Promise<TensorData> => {
    const tensor = await readTensor(entry);
    if (floatDTypes.includes(dtype)) requireFiniteElements(name, toFloat32(tensor), origin);
    return tensor;
  };
  return { dtype, shape, load };
}

function writeIndex(
  folder: string,
  shards: ReadonlyMap<string, ReadonlyMap<string, WritableTensor>>,
  bytes: number,
): Promise<void> {
  const placed = [...shards].flatMap(([file, own]) =>
    [...own.keys()].map((name) => [name, writtenName(file)] as const),
  );
  const map = Object.fromEntries(placed.sort(([a], [b]) => (a < b ? -1 : 1)));
  return writeJson(platform.join(folder, "model.safetensors.index.json"), {
    metadata: { total_size: bytes },
    weight_map: map,
  });
}
