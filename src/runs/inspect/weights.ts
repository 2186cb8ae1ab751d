import { platform } from "#platform";
import { type ModelFiles, openWeightsFile, readWeightHeaders } from "../../hub/index.js";
import type { SafetensorsFile } from "../../safetensors/read.js";
import type { DType } from "../../tensor-data.js";
import { stateFromJson } from "../../training/checkpoints/state.js";

/** One tensor of a file. */
export interface TensorLine {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** A file's tensors by name. */
export const linesOf = ({ entries }: SafetensorsFile): TensorLine[] => {
  const tensors = [...entries.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape }));
  return tensors.sort((a, b) => (a.name < b.name ? -1 : 1));
};

/** Tensors of a safetensors file or an index of shards, by name. @throws GraftError `invalid-safetensors`, ... */
export async function tensorsOfFile(
  path: string,
): Promise<{ tensors: TensorLine[]; metadata: Readonly<Record<string, string>> }> {
  const file = await openWeightsFile(path);
  return { tensors: linesOf(file), metadata: file.metadata };
}

/** Tensors of whatever weights a folder or a repository holds, none of which is read; undefined where it holds none. */
export async function tensorsOfFolder(files: ModelFiles): Promise<TensorLine[] | undefined> {
  const file = await readWeightHeaders(files);
  return file && linesOf(file);
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
