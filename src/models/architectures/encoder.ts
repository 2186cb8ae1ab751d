import { add, type Tensor } from "../../graph/index.js";
import {
  type ActivationName,
  activations,
  type Embedded,
  Embedding,
  type EmbeddingLike,
  LayerNorm,
  Linear,
  type LinearLike,
  Module,
  ModuleList,
  normal,
  type OwnTokens,
  Sites,
  type Stream,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { SelfAttention } from "./self-attention.js";

/** Sizes of a BERT-like encoder; BERT's and RoBERTa's configs both are of this form. */
export interface EncoderConfig {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: ActivationName;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  readonly padTokenId: number | null;
}

/** A Linear with BERT's initialisation. */
export function bertLinear(
  config: Pick<EncoderConfig, "initializerRange">,
  inFeatures: number,
  outFeatures: number,
): Linear {
  return new Linear(inFeatures, outFeatures, { initializer: normal(config.initializerRange) });
}

/** What a BERT-like model reads: int32 [batch, sequence] each. */
export interface TextTensors {
  readonly inputIds: Tensor;
  readonly attentionMask?: Tensor | undefined;
  readonly tokenTypeIds?: Tensor | undefined;
}

/** Word, position and segment vectors, added and normalised. */
export class BertEmbeddings extends Module {
  readonly sites = new Sites();
  readonly wordEmbeddings: EmbeddingLike;
  readonly positionEmbeddings: EmbeddingLike;
  readonly tokenTypeEmbeddings: EmbeddingLike;
  readonly layerNorm: LayerNorm;

  /** @param paddingPosition the position of padding (RoBERTa's), whose vector is not trained; null: there is none */
  constructor(
    readonly config: EncoderConfig,
    paddingPosition: number | null = null,
  ) {
    super();
    const { hiddenSize, initializerRange, vocabSize, maxPositionEmbeddings, typeVocabSize, padTokenId } = config;
    const initializer = normal(initializerRange);
    this.wordEmbeddings = this.child("word_embeddings", new Embedding(vocabSize, hiddenSize, initializer, padTokenId));
    this.positionEmbeddings = this.child(
      "position_embeddings",
      new Embedding(maxPositionEmbeddings, hiddenSize, initializer, paddingPosition),
    );
    this.tokenTypeEmbeddings = this.child(
      "token_type_embeddings",
      new Embedding(typeVocabSize, hiddenSize, initializer),
    );
    this.layerNorm = this.child("LayerNorm", new LayerNorm(hiddenSize, config.layerNormEps));
  }

  /**
   * @param positionsOf vectors of the positions, which broadcast to [batch, sequence, hiddenSize]
   * @returns hidden states [batch, sequence, hiddenSize], longer than the ids where a tuning method puts tokens before
   *   them, the mask of that sequence, and where the ids' own tokens stand in it
   */
  forward(
    trace: Trace,
    { inputIds, attentionMask, tokenTypeIds }: TextTensors,
    positionsOf: (embedded: Embedded) => Tensor,
  ): { hidden: Tensor; attentionMask: Tensor | null; own: OwnTokens | null } {
    return this.scoped(() => {
      const words = this.wordEmbeddings.forward(trace, inputIds);
      const embedded = this.sites.apply("embeddings", trace, {
        hidden: words,
        attentionMask: attentionMask ?? null,
        tokenTypeIds: tokenTypeIds ?? null,
        inputIds,
        lengthened: false,
      });
      const segments = embedded.tokenTypeIds
        ? this.tokenTypeEmbeddings.forward(trace, embedded.tokenTypeIds)
        : this.tokenTypeEmbeddings.firstRows(trace, 1);
      const sum = add(add(embedded.hidden, segments), positionsOf(embedded));
      const hidden = trace.dropout(this.layerNorm.forward(trace, sum), this.config.hiddenDropoutProb);
      return { hidden, attentionMask: embedded.attentionMask, own: embedded.own ?? null };
    });
  }
}

/** Projection, dropout, and LayerNorm(x + residual): the end of both halves of a layer. */
class ResidualOutput extends Module {
  readonly dense: LinearLike;
  readonly layerNorm: LayerNorm;

  constructor(
    readonly config: EncoderConfig,
    inFeatures: number,
  ) {
    super();
    this.dense = this.child("dense", bertLinear(config, inFeatures, config.hiddenSize));
    this.layerNorm = this.child("LayerNorm", new LayerNorm(config.hiddenSize, config.layerNormEps));
  }

  /**
   * @param x float32 [batch, sequence, inFeatures]
   * @param stream what entered this half
   * @returns the stream after it
   */
  forward(
    trace: Trace,
    x: Tensor,
    stream: Stream,
    site: "attentionOutput" | "feedForwardOutput",
    sites: Sites,
  ): Stream {
    return this.scoped(() => {
      const residual = stream.hidden;
      const projected = trace.dropout(this.dense.forward(trace, x), this.config.hiddenDropoutProb);
      const norm = (sum: Tensor) => this.layerNorm.forward(trace, sum);
      const { output } = sites.apply(site, trace, { stream, output: projected, residual, norm });
      return stream.with(norm(add(output, residual)));
    });
  }
}

/** How a layer's tokens attend to each other. */
export type AttentionModule = Module & { forward(trace: Trace, stream: Stream, layer: TransformerLayer): Tensor };

function plainAttention(config: EncoderConfig): AttentionModule {
  const { hiddenSize, numAttentionHeads: heads, attentionProbsDropoutProb: dropout } = config;
  return new SelfAttention({ heads, dropout, projection: () => bertLinear(config, hiddenSize, hiddenSize) });
}

class Attention extends Module {
  readonly self: AttentionModule;
  readonly output: ResidualOutput;

  constructor(config: EncoderConfig, self: AttentionModule) {
    super();
    this.self = this.child("self", self);
    this.output = this.child("output", new ResidualOutput(config, config.hiddenSize));
  }

  forward(trace: Trace, stream: Stream, layer: TransformerLayer): Stream {
    const attended = this.self.forward(trace, stream, layer);
    return this.output.forward(trace, attended, stream, "attentionOutput", layer.sites);
  }
}

class Intermediate extends Module {
  readonly dense: LinearLike;

  constructor(readonly config: EncoderConfig) {
    super();
    this.dense = this.child("dense", bertLinear(config, config.hiddenSize, config.intermediateSize));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => activations[this.config.hiddenAct](this.dense.forward(trace, x)));
  }
}

/** A layer that is normalised after each half (BERT, Devlin et al. 2019). */
export class EncoderLayer extends Module implements TransformerLayer {
  readonly sites = new Sites();
  readonly attention: Attention;
  readonly intermediate: Intermediate;
  readonly output: ResidualOutput;

  constructor(
    config: EncoderConfig,
    readonly index: number,
    self = plainAttention(config),
  ) {
    super();
    this.attention = this.child("attention", new Attention(config, self));
    this.intermediate = this.child("intermediate", new Intermediate(config));
    this.output = this.child("output", new ResidualOutput(config, config.intermediateSize));
  }

  forward(trace: Trace, stream: Stream): Stream {
    const { sites } = this;
    const attended = this.attention.forward(trace, sites.apply("layerInput", trace, stream), this);
    const widened = this.intermediate.forward(trace, attended.hidden);
    const fed = this.output.forward(trace, widened, attended, "feedForwardOutput", sites);
    return sites.apply("layerOutput", trace, fed);
  }
}

/** The stack of layers. */
export class BertEncoder extends Module {
  readonly layer: ModuleList<EncoderLayer>;

  constructor(config: EncoderConfig) {
    super();
    const layers = Array.from({ length: config.numHiddenLayers }, (_, index) => new EncoderLayer(config, index));
    this.layer = this.child("layer", new ModuleList(layers));
  }

  forward(trace: Trace, stream: Stream): Stream {
    return this.layer.items.reduce((now, layer) => layer.forward(trace, now), stream);
  }
}
