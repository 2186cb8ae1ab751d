import type { ModelConfig, ModelInputs, Network, PreparedInputs, Runner } from "../models/index.js";
import type { Parameter } from "../nn/index.js";

/** What training needs of a model: `PreTrainedModel` and `PeftModel` are such. */
export interface TrainableModel {
  readonly config: ModelConfig;
  readonly network: Network;
  readonly runner: Runner;
  prepareInputs(inputs: ModelInputs): PreparedInputs;
  namedParameters(): [string, Parameter][];
  savePretrained(folder: string): Promise<void>;
}
