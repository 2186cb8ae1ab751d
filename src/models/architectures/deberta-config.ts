import * as z from "zod";
import type { RelativeDistances } from "../../nn/index.js";
import { configError, fields, parseConfig, transformerFields, unsupportedConfig } from "../config.js";

const positionKinds = ["c2p", "p2c"] as const;

/** Names as a list, or as one text with bars between them. */
const names = z
  .union([z.string(), z.array(z.string())])
  .transform((value) =>
    (typeof value === "string" ? value.split("|") : value).map((name) => name.trim().toLowerCase()),
  );

const schema = z.object({
  ...transformerFields,
  vocab_size: fields.size(128100),
  hidden_size: fields.size(1536),
  num_hidden_layers: fields.layers(24),
  num_attention_heads: fields.size(24),
  intermediate_size: fields.size(6144),
  hidden_dropout_prob: fields.dropout(0.1),
  attention_probs_dropout_prob: fields.dropout(0.1),
  max_position_embeddings: fields.size(512),
  type_vocab_size: z.int().min(0).max(65536).default(0),
  layer_norm_eps: fields.epsilon(1e-7),
  pad_token_id: z.int().min(0).nullable().default(0),
  embedding_size: z
    .int()
    .min(1)
    .max(2 ** 24)
    .nullish(),
  relative_attention: z.boolean().default(false),
  max_relative_positions: z.int().max(65536).default(-1),
  position_buckets: z.int().max(65536).default(-1),
  pos_att_type: names.nullable().default([]),
  share_att_key: z.boolean().default(false),
  norm_rel_ebd: names.default(["none"]),
  position_biased_input: z.boolean().default(true),
  conv_kernel_size: z.int().min(0).max(1023).default(0),
  conv_groups: z.int().min(1).default(1),
  conv_act: fields.activation("tanh"),
  attention_head_size: z.int().optional(),
  pooler_hidden_size: z.int().nullish(),
  pooler_hidden_act: fields.activation("gelu"),
  pooler_dropout: fields.dropout(0),
  cls_dropout: fields.optionalDropout,
});

export type DebertaConfig = ReturnType<typeof parseDebertaConfig>;

type Parsed = ReturnType<typeof parseConfig<(typeof schema)["shape"]>>;

/** @throws GraftError `invalid-config`, `unsupported` */
function check(config: Parsed, what: string): void {
  const { hiddenSize, numAttentionHeads, vocabSize, padTokenId, poolerHiddenSize, convKernelSize, convGroups } = config;
  if (hiddenSize % numAttentionHeads !== 0) {
    throw configError(what, `hidden_size ${hiddenSize} is no multiple of num_attention_heads ${numAttentionHeads}`);
  }
  if (padTokenId !== null && padTokenId >= vocabSize) {
    throw configError(what, `pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}`);
  }
  const headSize = hiddenSize / numAttentionHeads;
  if (config.attentionHeadSize !== undefined && config.attentionHeadSize !== headSize) {
    throw unsupportedConfig(what, `attention_head_size ${config.attentionHeadSize}, which is not ${headSize}`);
  }
  if (typeof poolerHiddenSize === "number" && poolerHiddenSize !== hiddenSize) {
    throw configError(what, `pooler_hidden_size ${poolerHiddenSize} is not hidden_size ${hiddenSize}`);
  }
  if (convKernelSize > 0 && convKernelSize % 2 === 0) {
    throw configError(what, `conv_kernel_size ${convKernelSize} is even, so that sequences would change their length`);
  }
  if (convKernelSize > 0 && convGroups > 1) throw unsupportedConfig(what, `conv_groups ${convGroups}`);
  const unknown = config.posAttType?.find((kind) => !positionKinds.some((known) => known === kind));
  if (unknown !== undefined) throw unsupportedConfig(what, `pos_att_type ${JSON.stringify(unknown)}`);
}

/** How distances are told apart; null where attention reads none. */
function distancesOf(config: Parsed, what: string): RelativeDistances | null {
  const { relativeAttention, maxRelativePositions, maxPositionEmbeddings, positionBuckets } = config;
  if (!relativeAttention) return null;
  const furthest = maxRelativePositions < 1 ? maxPositionEmbeddings : maxRelativePositions;
  if (positionBuckets < 1) return { span: furthest };
  if (positionBuckets < 2 || furthest - 1 <= Math.floor(positionBuckets / 2)) {
    throw configError(what, `position_buckets ${positionBuckets} do not fit max_relative_positions ${furthest}`);
  }
  return { span: positionBuckets, logarithmicTo: furthest };
}

export function parseDebertaConfig(raw: Readonly<Record<string, unknown>>, what: string) {
  const config = parseConfig(schema, raw, what);
  check(config, what);
  const kinds = config.posAttType ?? [];
  return {
    ...config,
    distances: distancesOf(config, what),
    contentToPosition: kinds.includes("c2p"),
    positionToContent: kinds.includes("p2c"),
    normalizesDistances: config.normRelEbd.includes("layer_norm"),
    embeddingSize: config.embeddingSize ?? config.hiddenSize,
  };
}
