import { GraftError } from "../../errors.js";
import { outputPath } from "../../hub/index.js";
import { listSome, readParameter } from "../../models/index.js";
import type { Parameter } from "../../nn/index.js";
import { readTensor } from "../../safetensors/read.js";
import { type WritableTensor, writeSafetensors } from "../../safetensors/write.js";
import { type TensorData, toFloat32 } from "../../tensor-data.js";
import type { Adapter } from "../host/adapter.js";
import { type AdapterFolder, TRAINED } from "./adapter-folder.js";

/**
 * Writes what training needs of an adapter and its file does not hold (the encoder that makes a prompt, AdaLoRA's averages)
 * beside that file; nothing where there is none.
 * @throws GraftError `file-access`, `disk-full`
 */
export async function saveTrainedTensors(adapter: Adapter, folder: string): Promise<void> {
  const trained = adapter.trainedBeside();
  if (trained.size === 0) return;
  const tensors = new Map<string, WritableTensor>();
  for (const [key, parameter] of trained) tensors.set(key, await readParameter(parameter));
  await writeSafetensors(outputPath(folder, TRAINED), tensors, { format: "pt" });
}

/**
 * Reads what `saveTrainedTensors` wrote, where the adapter needs it.
 * @returns float32 elements by parameter; they count before those of the adapter's file
 * @throws GraftError `unsupported` where the folder holds only what is needed for prediction, `adapter-mismatch`
 */
export async function readTrainedTensors(
  folder: AdapterFolder,
  adapter: Adapter,
): Promise<Map<Parameter, TensorData<"float32">>> {
  const trained = adapter.trainedBeside();
  if (trained.size === 0) return new Map();
  const file = await folder.trained();
  if (file === null) {
    if (adapter.isWholeInFile) return new Map();
    throw new GraftError(
      "unsupported",
      `${folder.origin} holds what was made of the adapter's trained tensors (${adapter.tuner.type}), not these: it cannot be trained further`,
      `Load it for prediction (isTrainable: false), or train on from a checkpoint: its ${TRAINED} holds them.`,
    );
  }
  const { entries, files } = file;
  const faults = [
    ...[...trained].flatMap(([key, { shape }]) => {
      const entry = entries.get(key);
      if (entry?.shape.join() === shape.join()) return [];
      return [`${key} is ${entry ? `[${entry.shape}]` : "missing"}, [${shape}] in the model`];
    }),
    ...[...entries.keys()].filter((key) => !trained.has(key)).map((key) => `${key} has no place in the model`),
  ];
  if (faults.length > 0) {
    throw new GraftError(
      "adapter-mismatch",
      `${files[0]} does not fit the adapter: ${listSome(faults)}`,
      "The folder's files do not belong together: take another checkpoint.",
    );
  }
  const tensors = new Map<Parameter, TensorData<"float32">>();
  for (const [key, parameter] of trained) {
    const data = toFloat32(await readTensor(entries.get(key)!));
    tensors.set(parameter, { dtype: "float32", shape: parameter.shape, data });
  }
  return tensors;
}
