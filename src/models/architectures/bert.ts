import * as z from "zod";
import { add, type Dim, type Tensor, tanh } from "../../graph/index.js";
import {
  AttentionMask,
  arange,
  type LinearLike,
  Module,
  ownTokens,
  type Sites,
  Stream,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { configError, fields, parseConfig, transformerFields, unsupportedConfig } from "../config.js";
import { classification } from "../heads/classification.js";
import { firstPosition } from "../heads/first-position.js";
import { type Head, withLoss } from "../heads/head.js";
import { tokenClassification } from "../heads/token-classification.js";
import { oneSpelling } from "../module-names.js";
import { Network, requireInput } from "../network.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";
import { BertEmbeddings, BertEncoder, bertLinear, type EncoderConfig } from "./encoder.js";

/** The oldest files call LayerNorm's weight gamma and its bias beta. */
function modernName(name: string): string {
  return name
    .replace(/(LayerNorm|layer_norm|layernorm)\.gamma$/, "$1.weight")
    .replace(/(LayerNorm|layer_norm|layernorm)\.beta$/, "$1.bias");
}

/** BERT's and RoBERTa's names. Files before transformers 4.31 hold a buffer that counts from 0, which is never read. */
export const bertNames = oneSpelling((name) =>
  name.endsWith("embeddings.position_ids") ? undefined : modernName(name),
);

/** The fields that BERT and RoBERTa share; defaults are transformers'. */
export const bertFields = {
  ...transformerFields,
  vocab_size: fields.size(30522),
  hidden_dropout_prob: fields.dropout(0.1),
  attention_probs_dropout_prob: fields.dropout(0.1),
  max_position_embeddings: fields.size(512),
  type_vocab_size: fields.size(2),
  layer_norm_eps: fields.epsilon(1e-12),
  pad_token_id: z.int().min(0).nullable().default(0),
  classifier_dropout: fields.optionalDropout,
  position_embedding_type: z.string().default("absolute"),
  is_decoder: z.boolean().default(false),
  add_cross_attention: z.boolean().default(false),
};

const schema = z.object(bertFields);

export type BertConfig = ReturnType<typeof parseBertConfig>;

/** What a BERT-like config must also satisfy. @throws GraftError `invalid-config`, `unsupported` */
export function checkBertConfig(config: ReturnType<typeof parseConfig<typeof bertFields>>, what: string): void {
  const { hiddenSize, numAttentionHeads, vocabSize, padTokenId, positionEmbeddingType } = config;
  if (hiddenSize % numAttentionHeads !== 0) {
    throw configError(what, `hidden_size ${hiddenSize} is no multiple of num_attention_heads ${numAttentionHeads}`);
  }
  if (padTokenId !== null && padTokenId >= vocabSize) {
    throw configError(what, `pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}`);
  }
  if (positionEmbeddingType !== "absolute") {
    throw unsupportedConfig(what, `position_embedding_type ${JSON.stringify(positionEmbeddingType)}`);
  }
  if (config.isDecoder || config.addCrossAttention) throw unsupportedConfig(what, "a decoder (is_decoder)");
}

export function parseBertConfig(raw: Readonly<Record<string, unknown>>, what: string) {
  const config = parseConfig(schema, raw, what);
  checkBertConfig(config, what);
  return config;
}

/**
 * What a BERT-like network reads.
 * @param config without typeVocabSize: tokens have no types
 * @param positions the longest sequence that its position table allows
 */
export function textInputs(
  config: Pick<EncoderConfig, "vocabSize" | "maxPositionEmbeddings"> & Partial<Pick<EncoderConfig, "typeVocabSize">>,
  positions: number,
): Ports {
  const { typeVocabSize } = config;
  const shape = ["batch", "sequence"];
  return {
    inputIds: {
      dtype: "int32",
      shape,
      required: true,
      below: { limit: config.vocabSize, why: "vocab_size" },
      longest: { limit: positions, why: `max_position_embeddings ${config.maxPositionEmbeddings}` },
    },
    attentionMask: { dtype: "int32", shape, below: { limit: 2, why: "1 sees, 0 hides" } },
    ...(typeVocabSize && {
      tokenTypeIds: { dtype: "int32", shape, below: { limit: typeVocabSize, why: "type_vocab_size" } },
    }),
  };
}

/** tanh of a Linear of the first position. */
export class Pooler extends Module {
  readonly dense: LinearLike;

  constructor(config: EncoderConfig) {
    super();
    this.dense = this.child("dense", bertLinear(config, config.hiddenSize, config.hiddenSize));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => tanh(this.dense.forward(trace, firstPosition(x))));
  }
}

/** BertModel: embeddings, encoder, pooler. */
export class BertModel extends Network {
  readonly className = "BertModel";
  readonly head = null;
  readonly inputs: Ports;
  readonly embeddings: BertEmbeddings;
  readonly encoder: BertEncoder;
  readonly pooler: Pooler | null;

  /** @param withPooler false inside token classifiers, which read the encoder's output themselves */
  constructor(
    readonly config: BertConfig,
    withPooler = true,
  ) {
    super();
    this.inputs = textInputs(config, config.maxPositionEmbeddings);
    this.embeddings = this.child("embeddings", new BertEmbeddings(config));
    this.encoder = this.child("encoder", new BertEncoder(config));
    this.pooler = withPooler ? this.child("pooler", new Pooler(config)) : null;
  }

  override get layers(): readonly (Module & TransformerLayer)[] {
    return this.encoder.layer.items;
  }

  override get embeddingSites(): Sites {
    return this.embeddings.sites;
  }

  forward(trace: Trace, inputs: NetworkInputs): { lastHiddenState: Tensor; poolerOutput?: Tensor } {
    const lastHiddenState = this.encode(trace, inputs).hidden;
    if (!this.pooler) return { lastHiddenState };
    const { pooler } = this;
    return { lastHiddenState, poolerOutput: this.scoped(() => pooler.forward(trace, lastHiddenState)) };
  }

  /** What the last layer gives. */
  encode(trace: Trace, inputs: NetworkInputs): Stream {
    return this.scoped(() => {
      const { positionEmbeddings } = this.embeddings;
      const text = { ...inputs, inputIds: requireInput(inputs, "inputIds") };
      const { hidden, attentionMask, own } = this.embeddings.forward(trace, text, (embedded) => {
        const sequence = embedded.hidden.shape[1] as Dim;
        if (this.prefixLength === 0) return positionEmbeddings.firstRows(trace, sequence);
        return positionEmbeddings.forward(trace, add(arange(sequence), this.prefixLength));
      });
      const mask = new AttentionMask({ padding: attentionMask, scope: this.path });
      return this.encoder.forward(trace, new Stream({ hidden, mask, own }));
    });
  }
}

/** BertForSequenceClassification: a Linear on the pooled output. */
export class BertForSequenceClassification extends Network {
  readonly className = "BertForSequenceClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly bert: BertModel;
  readonly classifier: LinearLike;

  constructor(readonly config: BertConfig) {
    super();
    this.head = classification(config);
    this.bert = this.child("bert", new BertModel(config));
    this.inputs = this.bert.inputs;
    this.classifier = this.child("classifier", bertLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { poolerOutput } = this.bert.forward(trace, inputs);
    return this.scoped(() => {
      const dropout = this.config.classifierDropout ?? this.config.hiddenDropoutProb;
      const logits = this.classifier.forward(trace, trace.dropout(poolerOutput as Tensor, dropout));
      return withLoss(this.head, { logits }, inputs);
    });
  }
}

/** BertForTokenClassification: dropout and a Linear on every position. */
export class BertForTokenClassification extends Network {
  readonly className = "BertForTokenClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly bert: BertModel;
  readonly classifier: LinearLike;

  constructor(readonly config: BertConfig) {
    super();
    this.head = tokenClassification(config);
    this.bert = this.child("bert", new BertModel(config, false));
    this.inputs = this.bert.inputs;
    this.classifier = this.child("classifier", bertLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { hidden, own } = this.bert.encode(trace, inputs);
    return this.scoped(() => {
      const dropout = this.config.classifierDropout ?? this.config.hiddenDropoutProb;
      const logits = this.classifier.forward(trace, trace.dropout(ownTokens(hidden, own), dropout));
      return withLoss(this.head, { logits }, inputs);
    });
  }
}
