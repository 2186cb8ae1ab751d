import { GraftError } from "../errors.js";
import { resolveFiles } from "../hub/index.js";
import type { ModelConfig, ModelInputs, Network, Parameter, PreparedInputs, Runner } from "../models/index.js";
import type { AfterStep, FactorPair, TrainedGroup } from "../peft/index.js";
import { openSafetensors, readTensor } from "../safetensors/read.js";
import { toFloat32 } from "../tensor-data.js";

/** What training needs of a model: `PreTrainedModel` and `PeftModel` are such. */
export interface TrainableModel {
  readonly config: ModelConfig;
  readonly network: Network;
  /** @internal */
  readonly runner: Runner;
  /** @param rows the data set's numbers of the batch's rows, for messages */
  prepareInputs(inputs: ModelInputs, rows?: readonly number[]): PreparedInputs;
  namedParameters(): [string, Parameter][];
  /** Trained parameters that an optimiser treats differently; without it, all are treated alike. */
  trainedGroups?(): readonly TrainedGroup[];
  /** Factors of low rank, for optimisers that treat the two of a pair differently; without it there are none. */
  factorPairs?(): readonly FactorPair[];
  /** What methods do after each update; without it nothing. */
  afterSteps?(): readonly AfterStep[];
  savePretrained(folder: string): Promise<void>;
  /** Writes all that is trained, where `savePretrained` leaves some of it out. */
  saveTrained?(folder: string): Promise<void>;
  /** Takes back what `saveTrained` wrote. Without it, the trainable weights are read from model.safetensors. */
  loadTrained?(folder: string): Promise<void>;
}

/** The parameters that an optimiser would change. */
export function trainableParameters(model: TrainableModel): Parameter[] {
  return model.namedParameters().flatMap(([, parameter]) => (parameter.trainable ? [parameter] : []));
}

/**
 * Gives a model the trained weights of a folder that a checkpoint wrote.
 * @throws GraftError `file-not-found`, `missing-tensor`, `adapter-mismatch`, `shape-mismatch`, `invalid-safetensors`
 */
export async function restoreWeights(model: TrainableModel, folder: string): Promise<void> {
  if (model.loadTrained) return model.loadTrained(folder);
  const files = await resolveFiles(folder, "model");
  const path = await files.path("model.safetensors", "the model's weights");
  const { entries } = await openSafetensors(path);
  for (const parameter of trainableParameters(model)) {
    const entry = entries.get(parameter.name);
    if (entry === undefined) {
      throw new GraftError(
        "missing-tensor",
        `${path} has no tensor ${parameter.name}`,
        "Resume from a checkpoint of the same model.",
      );
    }
    parameter.setData({ dtype: "float32", shape: entry.shape, data: toFloat32(await readTensor(entry)) });
  }
}
