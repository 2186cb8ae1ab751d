import * as z from "zod";
import { normal, prependTokens, type Trace } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";
import { notMergeable } from "./places.js";
import {
  encoderHiddenSize,
  fittedPrompt,
  promptEncoder,
  promptFileKey,
  promptOptions,
  virtualTokensOf,
} from "./prompt.js";

const pTuningOptions = {
  ...promptOptions,
  /** What makes the vectors. Default "MLP": three linear layers. */
  encoderReparameterizationType: option("choice", z.enum(["MLP"]), "MLP", {
    help: "The encoder that makes the vectors",
    expected: '"MLP" (PEFT\'s "LSTM" is not built)',
  }),
  /** Width of the encoder's hidden layers. Default null: the model's. */
  encoderHiddenSize,
  /** Not used by the MLP, which has always three layers. Default 2. */
  encoderNumLayers: option("integer", z.int().positive(), 2, { help: "Not used by the MLP" }),
  /** Not used by the MLP. Default 0. */
  encoderDropout: option("number", z.number().min(0).max(1), 0, { help: "Not used by the MLP" }),
};

/**
 * How a model is adapted with P-tuning (Liu et al. 2021): an encoder makes the vectors that stand before the tokens.
 * Options, meanings and defaults are those of PEFT 0.21's PromptEncoderConfig.
 * @throws GraftError `invalid-config`
 */
export class PromptEncoderConfig extends configClass({
  peftType: "P_TUNING",
  options: pTuningOptions,
  refuse: ({ encoder_reparameterization_type: type }) =>
    type === "LSTM"
      ? ['encoder_reparameterization_type = "LSTM" (there are no recurrent layers here; "MLP" is built)']
      : [],
}) {}

function inject(host: Host, config: PromptEncoderConfig): Injection {
  const count = virtualTokensOf(host, config);
  const { hiddenSize } = host.config;
  const hidden = config.encoderHiddenSize ?? hiddenSize;
  const vectors = host.acting.isTrainable
    ? promptEncoder(host, "mlp_head", count, [hiddenSize, hidden, hidden, hiddenSize], "relu")
    : madeBefore(host, [count, hiddenSize]);
  host.at(host.network.embeddingSites, "embeddings", {
    signature: `p-tuning:${count}:${host.acting.isTrainable}`,
    addedPositions: count,
    isAtBeginning: true,
    transform: (trace, embedded) => prependTokens(embedded, vectors(trace)),
  });
  return { targets: [], merge: notMergeable };
}

/** What an encoder made, for prediction. */
function madeBefore(host: Host, shape: readonly number[]) {
  const prompt = host.parameter("prompt_embeddings", shape, { initializer: normal(1) });
  return (trace: Trace) => trace.parameter(prompt);
}

/** An encoder makes the vectors before the tokens (Liu et al. 2021). */
export const pTuning: Tuner<PromptEncoderConfig> = {
  type: "P_TUNING",
  name: "p-tuning",
  help: "Vectors before the embedded tokens, made by a trained encoder (Liu et al. 2021)",
  Config: PromptEncoderConfig,
  fitted: (config, network) => {
    const fitting = fittedPrompt(config, network);
    return config.with({ ...fitting, encoderHiddenSize: config.encoderHiddenSize ?? fitting.tokenDim });
  },
  inject,
  fileKey: promptFileKey,
};
