import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { writeJson } from "../hub/json-file.js";
import type { Parameter } from "../nn/index.js";
import { openSafetensors } from "../safetensors/read.js";
import { type TensorSource, writeSafetensors } from "../safetensors/write.js";
import { arrayFromBytes, type TensorData, tensorData } from "../tensor-data.js";
import { configToWrite, floatKeys } from "./config.js";
import { fileSource, requireUnchanged } from "./file-source.js";
import type { Network } from "./network.js";

/**
 * A parameter's current elements: those of a merged adapter where there are some, else its source's.
 * @throws GraftError `missing-tensor` for a parameter that has a shape only, `file-access` where its file has changed
 */
export async function readParameter(
  parameter: Pick<Parameter, "name" | "shape" | "override" | "source">,
): Promise<TensorData<"float32">> {
  const { override, source, shape, name } = parameter;
  if (override) return override;
  if (source.kind === "memory") return source.data as TensorData<"float32">;
  if (source.kind === "file") {
    await requireUnchanged([source]);
    const bytes = await platform.readRange(source.path, source.offset, source.byteLength);
    return tensorData("float32", shape, arrayFromBytes("float32", bytes));
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
  }
}

/** Only an adapter's parameters have named dimensions (the rank): transformers would take their tensors for strangers. */
function refuseAdapters(parameters: readonly Parameter[]): void {
  const adapter = parameters.find(({ symbolicShape }) => symbolicShape.some((dim) => typeof dim === "string"));
  if (!adapter) return;
  throw new GraftError(
    "invalid-argument",
    `the model holds an adapter (${adapter.name}), which is no part of model.safetensors`,
    "Save the PeftModel, which writes the adapter, or what its mergeAndUnload or unload returns.",
  );
}

/**
 * Writes config.json and model.safetensors (float32, names of transformers 4) into a folder, which is created where
 * it is missing. Tensors that have not changed keep their bytes. Each file is written whole or not at all.
 * @throws GraftError `invalid-argument` for a network with an adapter, `missing-tensor`, `file-access`, `disk-full`
 */
export async function saveNetwork(network: Network, folder: string): Promise<void> {
  const parameters = [...network.parameters()];
  refuseAdapters(parameters);
  const tensors = new Map<string, TensorSource>();
  for (const parameter of parameters) {
    const { name, shape } = parameter;
    tensors.set(name, { dtype: "float32", shape, load: () => readParameter(parameter) });
  }
  await platform.makeDirectory(folder);
  const path = platform.join(folder, "model.safetensors");
  await writeSafetensors(path, tensors, { format: "pt" });
  await writeJson(platform.join(folder, "config.json"), configToWrite(network.config, network.className), floatKeys);
  if (parameters.some(({ source }) => source.kind === "file")) await followFile(parameters, path);
}
