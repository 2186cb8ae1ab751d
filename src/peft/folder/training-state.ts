import { platform } from "#platform";
import { GraftError } from "../../errors.js";
import { listSome, readParameter } from "../../models/index.js";
import type { Parameter } from "../../nn/index.js";
import { openSafetensors, readTensor } from "../../safetensors/read.js";
import { type TensorSource, writeSafetensors } from "../../safetensors/write.js";
import { toFloat32 } from "../../tensor-data.js";
import type { Adapter } from "../host/adapter.js";

const FILE = "adapter_state.safetensors";

/** What training needs of adapters whose files do not hold it: every tensor of theirs, and what they keep between updates. */
function stateOf(adapters: Iterable<Adapter>): Parameter[] {
  return [...adapters].flatMap((adapter) => {
    const { saved, afterStep } = adapter.injection;
    if (!saved && !afterStep) return [];
    const tensors = adapter.everything().filter(({ isSetting }) => !isSetting);
    return [...tensors, ...(afterStep?.state ?? [])];
  });
}

/** Writes `adapter_state.safetensors`, where adapters need it. @throws GraftError `file-access`, `disk-full` */
export async function writeTrainingState(folder: string, adapters: Iterable<Adapter>): Promise<void> {
  const tensors = new Map<string, TensorSource>();
  for (const parameter of stateOf(adapters)) tensors.set(parameter.name, await readParameter(parameter));
  if (tensors.size === 0) return;
  await platform.makeDirectory(folder);
  await writeSafetensors(platform.join(folder, FILE), tensors, { format: "pt" });
}

/**
 * Reads what `writeTrainingState` wrote, where it lies in a folder.
 * @returns the adapters whose tensors it held
 * @throws GraftError `adapter-mismatch` naming tensors that are missing or of another shape; nothing is changed then
 */
export async function readTrainingState(folder: string, adapters: readonly Adapter[]): Promise<readonly Adapter[]> {
  const path = platform.join(folder, FILE);
  if (!(await platform.exists(path))) return [];
  const { entries } = await openSafetensors(path);
  const wanted = stateOf(adapters);
  const wrong = wanted.filter(({ name, shape }) => entries.get(name)?.shape.join() !== shape.join());
  if (wrong.length > 0) {
    throw new GraftError(
      "adapter-mismatch",
      `${path} does not fit this adapter; tensors missing or of another shape: ${listSome(wrong.map(({ name }) => name))}`,
      "Resume with the adapter's config of the interrupted run.",
    );
  }
  const read = wanted.map(async (parameter) => {
    const entry = entries.get(parameter.name);
    return [parameter, entry ? toFloat32(await readTensor(entry)) : new Float32Array()] as const;
  });
  for (const [parameter, data] of await Promise.all(read)) {
    parameter.setData({ dtype: "float32", shape: parameter.shape, data });
  }
  return adapters.filter((adapter) => stateOf([adapter]).length > 0);
}
