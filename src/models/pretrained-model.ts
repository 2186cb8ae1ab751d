import { Callable } from "../callable.js";
import { camelCase } from "../case.js";
import type { ModelFiles } from "../hub/index.js";
import type { Parameter } from "../nn/index.js";
import type { ScopeOptions } from "../runtime/index.js";
import type { TensorData } from "../tensor-data.js";
import type { ModelConfig } from "./config.js";
import type { ModelInputs } from "./inputs.js";
import { emptyReport, type LoadingReport } from "./loading-report.js";
import type { Network } from "./network.js";
import { type PreparedInputs, prepareInputs } from "./prepare-inputs.js";
import { Runner } from "./runner.js";
import { saveNetwork } from "./saving.js";

type Floats = TensorData<"float32">;

/** Named outputs; which of them there are depends on the model's head and on the inputs. */
export interface ModelOutputs {
  /** Mean loss of the batch, where labels were given. */
  readonly loss?: number;
  /** [batch, numLabels]; of a token classifier [batch, sequence, numLabels]; of a language model [batch, sequence, vocabSize] */
  readonly logits?: Floats;
  /** [batch, sequence, hiddenSize] */
  readonly lastHiddenState?: Floats;
  /** [batch, hiddenSize] */
  readonly poolerOutput?: Floats;
}

/** Outputs of a classifier. */
export interface ClassifierOutputs extends ModelOutputs {
  readonly logits: Floats;
}

/** Outputs of a language model: of each token, what comes after it. */
export interface CausalLMOutputs extends ModelOutputs {
  readonly logits: Floats;
}

/** Outputs of a model without head. */
export interface BaseModelOutputs extends ModelOutputs {
  readonly lastHiddenState: Floats;
}

/** Options of a call. */
export interface ForwardOptions {
  /** Ends the call, which then rejects with `aborted`. */
  readonly signal?: AbortSignal;
}

/** Outputs by graph name as they are named in TypeScript; the loss as a number. */
export function namedOutputs(tensors: Readonly<Record<string, TensorData>>): ModelOutputs {
  const entries = Object.entries(tensors).map(([name, tensor]) => [
    camelCase(name),
    name === "loss" ? Number(tensor.data[0]) : tensor,
  ]);
  return Object.fromEntries(entries) as ModelOutputs;
}

/**
 * A model that can be called: `const { logits } = await model({ inputIds, attentionMask })`.
 * It starts its engine (a worker) with the first call, unless it was given one to share; `dispose` ends it.
 */
export class PreTrainedModel<Outputs extends ModelOutputs = ModelOutputs> extends Callable<
  [inputs: ModelInputs, options?: ForwardOptions],
  Promise<Outputs>
> {
  /** Compiles and runs the network's programs. @internal */
  readonly runner: Runner;

  /**
   * Models come from `AutoModel...fromPretrained` or `fromConfig`.
   * @param nameOrPath the folder or the repository that the model was loaded from; adapters name it as their base
   * @param files what lies there; null for a model that was made
   */
  constructor(
    readonly network: Network,
    readonly loadingReport: LoadingReport = emptyReport,
    scope: ScopeOptions = {},
    readonly nameOrPath: string | null = null,
    readonly files: ModelFiles | null = null,
  ) {
    super();
    this.runner = new Runner(network, scope);
  }

  /** config.json as it was read, with the labels and problem type in force. */
  get config(): ModelConfig {
    return this.network.config;
  }

  /**
   * Evaluation pass: no dropout, no gradients.
   * @throws GraftError for inputs that do not fit the model: `invalid-token`, `invalid-label`, `shape-mismatch`, ...;
   *   `file-access` where its weights' file has changed since it was loaded
   */
  async forward(inputs: ModelInputs, options: ForwardOptions = {}): Promise<Outputs> {
    return namedOutputs(await this.runner.run(this.prepareInputs(inputs), options.signal)) as Outputs;
  }

  /**
   * Inputs checked and converted as `forward` does it.
   * @param rows the data set's numbers of the batch's rows, which messages then name
   */
  prepareInputs(inputs: ModelInputs, rows?: readonly number[]): PreparedInputs {
    return prepareInputs(this.network, inputs, rows);
  }

  /** All parameters with their names (keys of model.safetensors). */
  namedParameters(): [string, Parameter][] {
    const weights = [...this.network.parametersInForce()].filter(({ isSetting }) => !isSetting);
    return weights.map((parameter) => [parameter.name, parameter]);
  }

  /** How many numbers the model's parameters are. */
  numParameters({ onlyTrainable = false }: { readonly onlyTrainable?: boolean } = {}): number {
    return this.namedParameters()
      .filter(([, parameter]) => parameter.trainable || !onlyTrainable)
      .reduce((sum, [, parameter]) => sum + parameter.elementCount, 0);
  }

  /**
   * Writes config.json and model.safetensors, which transformers loads.
   * @throws GraftError `file-access`, `disk-full`, `missing-tensor` for a model without weights, `invalid-argument` for
   *   one that holds an adapter (save the PeftModel)
   */
  async savePretrained(folder: string): Promise<void> {
    await this.runner.syncFromEngine();
    await saveNetwork(this.network, folder);
  }

  /**
   * Frees what the model holds in its engine, and ends an engine of its own. The model keeps what was trained, and may
   * be called again.
   */
  dispose(): Promise<void> {
    return this.runner.dispose();
  }
}
