import * as z from "zod";
import { add, type Dim, relu, type Tensor } from "../../graph/index.js";
import {
  AttentionMask,
  activations,
  arange,
  Embedding,
  type EmbeddingLike,
  type Initializer,
  LayerNorm,
  type LinearLike,
  Module,
  ModuleList,
  normal,
  ownTokens,
  Sites,
  Stream,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { configError, fields, parseConfig } from "../config.js";
import { classification } from "../heads/classification.js";
import { firstPosition } from "../heads/first-position.js";
import { type Head, withLoss } from "../heads/head.js";
import { tokenClassification } from "../heads/token-classification.js";
import { Network, requireInput } from "../network.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";
import { textInputs } from "./bert.js";
import { bertLinear } from "./encoder.js";
import { selfAttend } from "./self-attention.js";

const schema = z.object({
  vocab_size: fields.size(30522),
  max_position_embeddings: fields.size(512),
  sinusoidal_pos_embds: z.boolean().default(false),
  n_layers: fields.layers(6),
  n_heads: fields.size(12),
  dim: fields.size(768),
  hidden_dim: fields.size(3072),
  dropout: fields.dropout(0.1),
  attention_dropout: fields.dropout(0.1),
  activation: fields.activation("gelu"),
  seq_classif_dropout: fields.dropout(0.2),
  pad_token_id: z.int().min(0).nullable().default(0),
});

/** Names that transformers takes for DistilBERT's own. */
const aliases = { hidden_size: "dim", num_attention_heads: "n_heads", num_hidden_layers: "n_layers" } as const;

const epsilon = 1e-12;

export type DistilBertConfig = ReturnType<typeof parseDistilBertConfig>;

export function parseDistilBertConfig(raw: Readonly<Record<string, unknown>>, what: string) {
  const given = Object.entries(aliases).flatMap(([alias, own]) => (alias in raw ? [[own, raw[alias]] as const] : []));
  const config = parseConfig(schema, { ...Object.fromEntries(given), ...raw }, what);
  const { dim, nHeads, vocabSize, padTokenId } = config;
  if (dim % nHeads !== 0) throw configError(what, `dim ${dim} is no multiple of n_heads ${nHeads}`);
  if (padTokenId !== null && padTokenId >= vocabSize) {
    throw configError(what, `pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}`);
  }
  return { ...config, raw, hiddenSize: dim, numAttentionHeads: nHeads };
}

/** sin and cos of the position at wavelengths from 2 pi to 20000 pi, in turns (Vaswani et al. 2017, section 3.5). */
const sinusoids: Initializer = (shape) => {
  const [, width = 0] = shape;
  return Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, index) => {
    const [position, feature] = [Math.floor(index / width), index % width];
    const angle = position / 10000 ** ((2 * Math.floor(feature / 2)) / width);
    return feature % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
};

/** Word and position vectors, added and normalised: tokens have no types. */
class DistilBertEmbeddings extends Module {
  readonly sites = new Sites();
  readonly wordEmbeddings: EmbeddingLike;
  readonly positionEmbeddings: EmbeddingLike;
  readonly layerNorm: LayerNorm;

  constructor(readonly config: DistilBertConfig) {
    super();
    const { dim, initializerRange, vocabSize, maxPositionEmbeddings, padTokenId, sinusoidalPosEmbds } = config;
    const initializer = normal(initializerRange);
    this.wordEmbeddings = this.child("word_embeddings", new Embedding(vocabSize, dim, initializer, padTokenId));
    this.positionEmbeddings = this.child(
      "position_embeddings",
      new Embedding(maxPositionEmbeddings, dim, sinusoidalPosEmbds ? sinusoids : initializer),
    );
    this.layerNorm = this.child("LayerNorm", new LayerNorm(dim, epsilon));
  }

  /** @param before how many keys stand before the first token: positions count them */
  forward(trace: Trace, inputIds: Tensor, attentionMask: Tensor | null, before: number, scope: string): Stream {
    return this.scoped(() => {
      const words = this.wordEmbeddings.forward(trace, inputIds);
      const given = { hidden: words, attentionMask, tokenTypeIds: null, inputIds, lengthened: false };
      const embedded = this.sites.apply("embeddings", trace, given);
      const length = embedded.hidden.shape[1] as Dim;
      const positions =
        before === 0
          ? this.positionEmbeddings.firstRows(trace, length)
          : this.positionEmbeddings.forward(trace, add(arange(length), before));
      const normalised = this.layerNorm.forward(trace, add(embedded.hidden, positions));
      const hidden = trace.dropout(normalised, this.config.dropout);
      const mask = new AttentionMask({ padding: embedded.attentionMask, scope });
      return new Stream({ hidden, mask, own: embedded.own ?? null });
    });
  }
}

class Attention extends Module {
  readonly query: LinearLike;
  readonly key: LinearLike;
  readonly value: LinearLike;
  readonly outLin: LinearLike;

  constructor(readonly config: DistilBertConfig) {
    super();
    const projection = () => bertLinear(config, config.dim, config.dim);
    this.query = this.child("q_lin", projection());
    this.key = this.child("k_lin", projection());
    this.value = this.child("v_lin", projection());
    this.outLin = this.child("out_lin", projection());
  }

  forward(trace: Trace, stream: Stream, layer: TransformerLayer): Tensor {
    const { nHeads: heads, attentionDropout: dropout } = this.config;
    return this.scoped(() => this.outLin.forward(trace, selfAttend(trace, stream, layer, this, { heads, dropout })));
  }
}

class FeedForward extends Module {
  readonly lin1: LinearLike;
  readonly lin2: LinearLike;

  constructor(readonly config: DistilBertConfig) {
    super();
    this.lin1 = this.child("lin1", bertLinear(config, config.dim, config.hiddenDim));
    this.lin2 = this.child("lin2", bertLinear(config, config.hiddenDim, config.dim));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const widened = activations[this.config.activation](this.lin1.forward(trace, x));
      return trace.dropout(this.lin2.forward(trace, widened), this.config.dropout);
    });
  }
}

/** One layer, normalised after each half; attention's output is not dropped. */
class DistilBertLayer extends Module implements TransformerLayer {
  readonly sites = new Sites();
  readonly attention: Attention;
  readonly saLayerNorm: LayerNorm;
  readonly ffn: FeedForward;
  readonly outputLayerNorm: LayerNorm;

  constructor(
    config: DistilBertConfig,
    readonly index: number,
  ) {
    super();
    this.attention = this.child("attention", new Attention(config));
    this.saLayerNorm = this.child("sa_layer_norm", new LayerNorm(config.dim, epsilon));
    this.ffn = this.child("ffn", new FeedForward(config));
    this.outputLayerNorm = this.child("output_layer_norm", new LayerNorm(config.dim, epsilon));
  }

  forward(trace: Trace, stream: Stream): Stream {
    return this.scoped(() => {
      const entering = this.sites.apply("layerInput", trace, stream);
      const attended = this.attention.forward(trace, entering, this);
      const middle = this.join(trace, "attentionOutput", attended, entering, this.saLayerNorm);
      const fed = this.ffn.forward(trace, middle.hidden);
      const leaving = this.join(trace, "feedForwardOutput", fed, middle, this.outputLayerNorm);
      return this.sites.apply("layerOutput", trace, leaving);
    });
  }

  /** The end of a half: what entered it added, and the sum normalised. */
  private join(
    trace: Trace,
    site: "attentionOutput" | "feedForwardOutput",
    x: Tensor,
    stream: Stream,
    layerNorm: LayerNorm,
  ): Stream {
    const residual = stream.hidden;
    const norm = (sum: Tensor) => layerNorm.forward(trace, sum);
    const { output } = this.sites.apply(site, trace, { stream, output: x, residual, norm });
    return stream.with(norm(add(output, residual)));
  }
}

class Transformer extends Module {
  readonly layer: ModuleList<DistilBertLayer>;

  constructor(config: DistilBertConfig) {
    super();
    const layers = Array.from({ length: config.nLayers }, (_, index) => new DistilBertLayer(config, index));
    this.layer = this.child("layer", new ModuleList(layers));
  }

  forward(trace: Trace, stream: Stream): Stream {
    return this.layer.items.reduce((now, layer) => layer.forward(trace, now), stream);
  }
}

/** DistilBertModel: half of BERT's layers, without token types and pooler (Sanh et al. 2019). */
export class DistilBertModel extends Network {
  readonly className = "DistilBertModel";
  readonly head = null;
  readonly inputs: Ports;
  readonly embeddings: DistilBertEmbeddings;
  readonly transformer: Transformer;

  constructor(readonly config: DistilBertConfig) {
    super();
    this.inputs = textInputs(config, config.maxPositionEmbeddings);
    this.embeddings = this.child("embeddings", new DistilBertEmbeddings(config));
    this.transformer = this.child("transformer", new Transformer(config));
  }

  override get layers(): readonly (Module & TransformerLayer)[] {
    return this.transformer.layer.items;
  }

  override get embeddingSites(): Sites {
    return this.embeddings.sites;
  }

  forward(trace: Trace, inputs: NetworkInputs): { lastHiddenState: Tensor } {
    return { lastHiddenState: this.encode(trace, inputs).hidden };
  }

  /** What the last layer gives. */
  encode(trace: Trace, inputs: NetworkInputs): Stream {
    return this.scoped(() => {
      const inputIds = requireInput(inputs, "inputIds");
      const mask = inputs.attentionMask ?? null;
      const stream = this.embeddings.forward(trace, inputIds, mask, this.prefixLength, this.path);
      return this.transformer.forward(trace, stream);
    });
  }
}

/** DistilBertForSequenceClassification: a Linear with ReLU on the first position, and a Linear on that. */
export class DistilBertForSequenceClassification extends Network {
  readonly className = "DistilBertForSequenceClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly distilbert: DistilBertModel;
  readonly preClassifier: LinearLike;
  readonly classifier: LinearLike;

  constructor(readonly config: DistilBertConfig) {
    super();
    this.head = classification(config);
    this.distilbert = this.child("distilbert", new DistilBertModel(config));
    this.inputs = this.distilbert.inputs;
    this.preClassifier = this.child("pre_classifier", bertLinear(config, config.dim, config.dim));
    this.classifier = this.child("classifier", bertLinear(config, config.dim, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { lastHiddenState } = this.distilbert.forward(trace, inputs);
    return this.scoped(() => {
      const pooled = relu(this.preClassifier.forward(trace, firstPosition(lastHiddenState)));
      const logits = this.classifier.forward(trace, trace.dropout(pooled, this.config.seqClassifDropout));
      return withLoss(this.head, { logits }, inputs);
    });
  }
}

/** DistilBertForTokenClassification: dropout and a Linear on every position. */
export class DistilBertForTokenClassification extends Network {
  readonly className = "DistilBertForTokenClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly distilbert: DistilBertModel;
  readonly classifier: LinearLike;

  constructor(readonly config: DistilBertConfig) {
    super();
    this.head = tokenClassification(config);
    this.distilbert = this.child("distilbert", new DistilBertModel(config));
    this.inputs = this.distilbert.inputs;
    this.classifier = this.child("classifier", bertLinear(config, config.dim, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { hidden, own } = this.distilbert.encode(trace, inputs);
    return this.scoped(() => {
      const logits = this.classifier.forward(trace, trace.dropout(ownTokens(hidden, own), this.config.dropout));
      return withLoss(this.head, { logits }, inputs);
    });
  }
}
