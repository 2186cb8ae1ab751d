import { platform } from "#platform";
import type { ModelFolder } from "../../hub/model-folder.js";
import { openCheckpoint } from "../../safetensors/sharded.js";
import type { DType } from "../../tensor-data.js";
import { stateFromJson } from "../../training/checkpoints/state.js";

/** One tensor of a file. */
export interface TensorLine {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Tensors of a safetensors file or an index of shards, by name. @throws GraftError `invalid-safetensors`, ... */
export async function tensorsOfFile(
  path: string,
): Promise<{ tensors: TensorLine[]; metadata: Readonly<Record<string, string>> }> {
  const { entries, metadata } = await openCheckpoint(path);
  const tensors = [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  return { tensors: tensors.sort((a, b) => (a.name < b.name ? -1 : 1)), metadata };
}

/** Tensors of whatever weights a folder holds; undefined where it holds none. */
export async function tensorsOfFolder({ files }: ModelFolder): Promise<TensorLine[] | undefined> {
  const path =
    files["adapter_model.safetensors"] ?? files["model.safetensors"] ?? files["model.safetensors.index.json"];
  return path === undefined ? undefined : (await tensorsOfFile(path)).tensors;
}

/** The trainer's notes in a checkpoint folder: step, epoch, best metric. */
export async function checkpointState(folder: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const path = platform.join(folder, "trainer_state.json");
  if (!(await platform.exists(path))) return undefined;
  const { globalStep, maxSteps, epoch, bestMetric, bestGlobalStep } = stateFromJson(
    await platform.readText(path),
    path,
  );
  return { step: globalStep, maxSteps, epoch, bestMetric, bestStep: bestGlobalStep };
}
