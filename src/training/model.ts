import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { requireFile, resolveModelFolder } from "../hub/model-folder.js";
import type { ModelConfig, ModelInputs, Network, PreparedInputs, Runner } from "../models/index.js";
import type { Parameter } from "../nn/index.js";
import type { AfterStep, TrainedGroup } from "../peft/index.js";
import { openSafetensors, readTensor } from "../safetensors/read.js";
import { toFloat32 } from "../tensor-data.js";

/** What training needs of a model: `PreTrainedModel` and `PeftModel` are such. */
export interface TrainableModel {
  readonly config: ModelConfig;
  readonly network: Network;
  readonly runner: Runner;
  /** @param rows the data set's numbers of the batch's rows, for messages */
  prepareInputs(inputs: ModelInputs, rows?: readonly number[]): PreparedInputs;
  namedParameters(): [string, Parameter][];
  /** Trained parameters that an optimiser treats differently; without it, all are treated alike. */
  trainedGroups?(): readonly TrainedGroup[];
  /** What methods do after each update; without it nothing. */
  afterSteps?(): readonly AfterStep[];
  savePretrained(folder: string): Promise<void>;
  /** Writes into a checkpoint what training needs besides; `loadWeights` reads it there. Without it nothing. */
  saveTrainingState?(folder: string): Promise<void>;
  /** Takes back weights that `savePretrained` wrote. Without it, the trainable ones are read from model.safetensors. */
  loadWeights?(folder: string): Promise<void>;
}

/** The parameters that an optimiser would change. */
export function trainableParameters(model: TrainableModel): Parameter[] {
  return model.namedParameters().flatMap(([, parameter]) => (parameter.trainable ? [parameter] : []));
}

/**
 * Gives a model the trained weights of a folder that its `savePretrained` wrote.
 * @throws GraftError `file-not-found`, `missing-tensor`, `adapter-mismatch`, `shape-mismatch`, `invalid-safetensors`
 */
export async function restoreWeights(model: TrainableModel, folder: string): Promise<void> {
  if (model.loadWeights) return model.loadWeights(folder);
  const files = await resolveModelFolder(folder);
  const { entries } = await openSafetensors(requireFile(files, "model.safetensors", "the model's weights"));
  for (const parameter of trainableParameters(model)) {
    const entry = entries.get(parameter.name);
    if (entry === undefined) {
      throw new GraftError(
        "missing-tensor",
        `${platform.join(folder, "model.safetensors")} has no tensor ${parameter.name}`,
        "Resume from a checkpoint of the same model.",
      );
    }
    parameter.setData({ dtype: "float32", shape: entry.shape, data: toFloat32(await readTensor(entry)) });
  }
}
