import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { outputPath, writeJson } from "../hub/index.js";
import type { Parameter } from "../nn/index.js";
import { openSafetensors } from "../safetensors/read.js";
import { type WritableTensor, writeSafetensors } from "../safetensors/write.js";
import { arrayFromBytes, type TensorData, tensorData, toFloat32 } from "../tensor-data.js";
import { configToWrite, floatKeys } from "./config.js";
import { fileSource, requireUnchanged } from "./file-source.js";
import type { Network } from "./network.js";

/**
 * A parameter's current elements: those of its last adjustment where there is one, else its source's.
 * @throws GraftError `missing-tensor` for a parameter that has a shape only, `file-access` where its file has changed
 */
export async function readParameter(
  parameter: Pick<Parameter, "name" | "shape" | "source" | "storage" | "adjustments">,
): Promise<TensorData<"float32">> {
  const adjustment = parameter.adjustments.at(-1);
  if (adjustment) {
    if (typeof adjustment.elements === "function") adjustment.elements = await adjustment.elements();
    return adjustment.elements;
  }
  return readSource(parameter);
}

/** The elements of a parameter's source, whatever stands before them. @throws GraftError as `readParameter` */
export async function readSource({
  name,
  shape,
  source,
  storage,
}: Pick<Parameter, "name" | "shape" | "source" | "storage">): Promise<TensorData<"float32">> {
  if (source.kind === "made") return source.make();
  if (source.kind === "memory") return { dtype: "float32", shape, data: toFloat32(source.data) };
  if (source.kind === "file") {
    await requireUnchanged([source]);
    const bytes = await platform.readRange(source.path, source.offset, source.byteLength);
    return { dtype: "float32", shape, data: toFloat32(tensorData(storage, shape, arrayFromBytes(storage, bytes))) };
  }
  throw new GraftError(
    "missing-tensor",
    `parameter ${name} has a shape but no elements`,
    "Load the model with its weights, or initialise it.",
  );
}

/** Parameters whose elements lie in the file at `path` follow it to their new places there. */
async function followFile(parameters: readonly Parameter[], path: string): Promise<void> {
  const { entries, files } = await openSafetensors(path);
  for (const parameter of parameters) {
    const { source, name } = parameter;
    const entry = entries.get(name);
    if (source.kind !== "file" || source.path !== files[0] || !entry) continue;
    parameter.source = fileSource(entry);
    parameter.storage = "float32";
  }
}

/** An adapter's tensors are no part of a model's file: transformers would take them for strangers. */
function refuseAdapters({ guests }: Network): void {
  const [guest] = guests;
  if (guest === undefined) return;
  const [parameter] = guest.parameters();
  throw new GraftError(
    "invalid-argument",
    `the model holds an adapter${parameter ? ` (${parameter.name})` : ""}, which is no part of model.safetensors`,
    "Save the PeftModel, which writes the adapter, or what its mergeAndUnload or unload returns.",
  );
}

/**
 * Writes config.json and model.safetensors (float32, names of transformers 4) into a folder, which is created where
 * it is missing. Tensors that have not changed keep their bytes. Each file is written whole or not at all.
 * @throws GraftError `invalid-argument` for a network with an adapter, `missing-tensor`, `file-access`, `disk-full`
 */
export async function saveNetwork(network: Network, folder: string): Promise<void> {
  refuseAdapters(network);
  const path = await writeNetwork(network, folder, (parameter) => parameter);
  const parameters = [...network.parameters()];
  if (parameters.some(({ source }) => source.kind === "file")) await followFile(parameters, path);
}

/**
 * Writes the model that a network is with other elements in the places of some parameters, as `saveNetwork` does.
 * @param chosen the parameter whose elements stand in one's place
 * @throws GraftError `invalid-argument` for the folder that the network's own weights lie in, which stay as they are;
 *   `missing-tensor`, `file-access`, `disk-full`
 */
export async function saveNetworkWith(
  network: Network,
  folder: string,
  chosen: (parameter: Parameter) => Parameter,
): Promise<void> {
  const path = platform.resolve(outputPath(folder, "model.safetensors"));
  const own = [...network.parameters()].some(
    ({ source }) => source.kind === "file" && platform.resolve(source.path) === path,
  );
  if (own) {
    throw new GraftError(
      "invalid-argument",
      `the weights from before training lie in ${folder}, and are still read`,
      "Save the trained model into another folder.",
    );
  }
  await writeNetwork(network, folder, chosen);
}

/** @returns the path of model.safetensors */
async function writeNetwork(
  network: Network,
  folder: string,
  chosen: (parameter: Parameter) => Parameter,
): Promise<string> {
  const tensors = new Map<string, WritableTensor>();
  for (const parameter of network.parameters()) {
    const { name, shape } = parameter;
    tensors.set(name, { dtype: "float32", shape, load: () => readParameter(chosen(parameter)) });
  }
  await platform.makeDirectory(folder);
  const path = outputPath(folder, "model.safetensors");
  await writeSafetensors(path, tensors, { format: "pt" });
  await writeJson(outputPath(folder, "config.json"), configToWrite(network.config, network.className), floatKeys);
  return path;
}
