import * as z from "zod";
import { GraftError } from "../../../errors.js";
import type { Network } from "../../../models/index.js";
import { normal, prependTokens } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { configClass } from "../../config/config-class.js";
import type { Host, Injection, Tuner } from "../../tuner.js";

const count = z.int().positive().nullable();
const followsFromModel = (what: string) => ({ help: what, expected: "null or a whole number from 1" });

const promptTuningOptions = {
  /** How many vectors stand before the tokens. */
  numVirtualTokens: option("integer", count, null, {
    help: "How many vectors stand before the tokens",
    expected: "a whole number from 1",
  }),
  /** How the vectors begin. Default "RANDOM": N(0, 1). */
  promptTuningInit: option("choice", z.enum(["RANDOM"]), "RANDOM", { help: "How the vectors begin" }),
  /** Width of the vectors. Default null: the model's. */
  tokenDim: option("integer", count, null, followsFromModel("Width of the vectors. Default: the model's")),
  /** Parts of the model that read prompts. Default null: 1. */
  numTransformerSubmodules: option("integer", z.literal(1).nullable(), null, {
    help: "Parts of the model that read prompts",
    expected: "null or 1",
  }),
  /** Default null: the model's. */
  numAttentionHeads: option("integer", count, null, followsFromModel("Heads of the model. Default: the model's")),
  /** Default null: the model's. */
  numLayers: option("integer", count, null, followsFromModel("Layers of the model. Default: the model's")),
};

/**
 * How a model is adapted with prompt tuning (Lester et al. 2021): learnt vectors stand before the embedded tokens.
 * Options, meanings and defaults are those of PEFT 0.21's PromptTuningConfig.
 * @throws GraftError `invalid-config`
 */
export class PromptTuningConfig extends configClass({
  peftType: "PROMPT_TUNING",
  options: promptTuningOptions,
  unbuilt: {
    prompt_tuning_init_text: { unset: null },
    tokenizer_name_or_path: { unset: null },
    tokenizer_kwargs: { unset: null },
  },
}) {}

/** What PEFT takes from the model's config. */
function fitted(config: PromptTuningConfig, network: Network): PromptTuningConfig {
  const { hiddenSize } = network.config;
  return config.with({
    tokenDim: config.tokenDim ?? hiddenSize,
    numTransformerSubmodules: 1,
    numLayers: config.numLayers ?? network.layers.length,
    numAttentionHeads: config.numAttentionHeads ?? network.config.numAttentionHeads,
  });
}

function inject(host: Host, { numVirtualTokens, tokenDim }: PromptTuningConfig): Injection {
  const { hiddenSize, modelType } = host.config;
  if (numVirtualTokens === null) {
    throw new GraftError("invalid-config", "numVirtualTokens is not given", "Say how many vectors, e.g. 20.", {
      option: "numVirtualTokens",
    });
  }
  if (tokenDim !== hiddenSize) {
    throw new GraftError(
      "invalid-config",
      `tokenDim is ${tokenDim}, the model's vectors have ${hiddenSize} numbers`,
      "Leave tokenDim out.",
      { option: "tokenDim" },
    );
  }
  if (!host.network.readsTokens) {
    throw new GraftError(
      "unsupported",
      `prompt tuning puts vectors before the tokens of a text, and ${modelType} reads none`,
      "Use a method that changes layers.",
    );
  }
  const prompt = host.parameter("prompt_embeddings", [numVirtualTokens, hiddenSize], { initializer: normal(1) });
  host.at(host.network.embeddingSites, "embeddings", {
    signature: `prompt:${numVirtualTokens}`,
    addedPositions: numVirtualTokens,
    transform: (trace, embedded) => prependTokens(embedded, trace.parameter(prompt)),
  });
  return { targets: [], merge: { refused: "its vectors are no part of any weight" } };
}

/** Learnt vectors before the embedded tokens (Lester et al. 2021). */
export const promptTuning: Tuner<PromptTuningConfig> = {
  type: "PROMPT_TUNING",
  name: "prompt-tuning",
  help: "Learnt vectors before the embedded tokens (Lester et al. 2021)",
  Config: PromptTuningConfig,
  fitted,
  inject,
  // PEFT leaves the base unwrapped here, and so out of the names.
  fileKey: (key) => (key === "prompt_embeddings" ? key : `base_model.${key}`),
};
