import * as z from "zod";
import type { RotaryFrequencies } from "../../nn/index.js";
import { configError, fields, parseConfig } from "../config.js";
import { rotaryFrequencies } from "./rope.js";

/** The fields that Llama, Mistral and Qwen share; defaults are Llama's in transformers. */
export const llamaFields = {
  vocab_size: fields.size(32000),
  hidden_size: fields.size(4096),
  intermediate_size: fields.size(11008),
  num_hidden_layers: fields.layers(32),
  num_attention_heads: fields.size(32),
  num_key_value_heads: z.int().min(1).nullable().default(null),
  head_dim: z.int().min(1).nullable().default(null),
  hidden_act: fields.activation("silu"),
  max_position_embeddings: fields.size(2048),
  rms_norm_eps: fields.epsilon(1e-6),
  attention_dropout: fields.dropout(0),
  classifier_dropout: fields.optionalDropout,
  pad_token_id: z.int().nullable().default(null),
  tie_word_embeddings: z.boolean().default(false),
};

const schema = z.object({
  ...llamaFields,
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
});

/** What tells one model of the family from another. */
interface Variant {
  /** Whether queries, keys and values have biases. */
  readonly qkvBias: boolean;
  /** Whether attention's output has one. */
  readonly outputBias: boolean;
  /** Whether the feed-forward has some. */
  readonly mlpBias: boolean;
  /** Whether each head's queries and keys are normalised. */
  readonly normalisesHeads: boolean;
  /** How far back each layer sees; null: to the beginning. */
  readonly windows: readonly (number | null)[];
}

type Fields = ReturnType<typeof parseConfig<typeof llamaFields>>;

/** A config of the family, with what follows from it. */
export interface LlamaConfig extends Fields, Variant {
  readonly headDim: number;
  readonly numKeyValueHeads: number;
  readonly padTokenId: number | null;
  readonly rotary: RotaryFrequencies;
}

/**
 * What follows from a config's fields.
 * @throws GraftError `invalid-config` for sizes that do not fit each other, `unsupported` for other rotary positions
 */
export function llamaConfig(config: Fields, variant: Variant, what: string): LlamaConfig {
  const { hiddenSize, numAttentionHeads: heads, vocabSize, padTokenId, maxPositionEmbeddings, raw } = config;
  const keyHeads = config.numKeyValueHeads ?? heads;
  if (config.headDim === null && hiddenSize % heads !== 0) {
    throw configError(what, `hidden_size ${hiddenSize} is no multiple of num_attention_heads ${heads}`);
  }
  const headDim = config.headDim ?? hiddenSize / heads;
  if (heads % keyHeads !== 0) {
    throw configError(what, `num_attention_heads ${heads} is no multiple of num_key_value_heads ${keyHeads}`);
  }
  if (headDim % 2 !== 0) throw configError(what, `heads of ${headDim} features cannot be turned in pairs (head_dim)`);
  if (padTokenId !== null && padTokenId >= vocabSize) {
    throw configError(what, `pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}`);
  }
  return {
    ...config,
    ...variant,
    headDim,
    numKeyValueHeads: keyHeads,
    // Files of the first Llama have -1 there, which is no token.
    padTokenId: padTokenId !== null && padTokenId >= 0 ? padTokenId : null,
    rotary: rotaryFrequencies(raw, { headDim, maxPositionEmbeddings }, what),
  };
}

/** Windows of layers that all see as far. */
export const sameWindows = ({ numHiddenLayers }: Fields, window: number | null): (number | null)[] =>
  Array.from({ length: numHiddenLayers }, () => window);

/** @throws GraftError `invalid-config`, `unsupported` */
export function parseLlamaConfig(raw: Readonly<Record<string, unknown>>, what: string): LlamaConfig {
  const config = parseConfig(schema, raw, what);
  const { attentionBias, mlpBias } = config;
  const windows = sameWindows(config, null);
  return llamaConfig(
    config,
    { qkvBias: attentionBias, outputBias: attentionBias, mlpBias, normalisesHeads: false, windows },
    what,
  );
}
