import { add, cast, type Dim, mul, reshape, type Tensor } from "../../graph/index.js";
import {
  AttentionMask,
  activations,
  arange,
  Embedding,
  type EmbeddingLike,
  LayerNorm,
  Linear,
  type LinearLike,
  Module,
  ModuleList,
  normal,
  RelativePositions,
  SequenceConvolution,
  Sites,
  Stream,
  type Trace,
} from "../../nn/index.js";
import type { DebertaConfig } from "./deberta-config.js";
import { DisentangledSelfAttention } from "./disentangled-attention.js";
import { EncoderLayer, type TextTensors } from "./encoder.js";

/** Hidden states with zeros where the mask (int32 [batch, sequence]) has them. */
function masked(hidden: Tensor, mask: Tensor | null): Tensor {
  if (mask === null) return hidden;
  return mul(hidden, reshape(cast(mask, "float32"), [...(mask.shape as [Dim, Dim]), 1]));
}

/** Word vectors, with those of positions and token types where there are any, normalised, and zero at padding. */
export class DebertaEmbeddings extends Module {
  readonly sites = new Sites();
  readonly wordEmbeddings: EmbeddingLike;
  readonly positionEmbeddings: EmbeddingLike | null;
  readonly tokenTypeEmbeddings: EmbeddingLike | null;
  readonly embedProj: LinearLike | null;
  readonly layerNorm: LayerNorm;

  constructor(readonly config: DebertaConfig) {
    super();
    const { vocabSize, embeddingSize, hiddenSize, typeVocabSize, padTokenId, maxPositionEmbeddings } = config;
    const initializer = normal(config.initializerRange);
    const table = (name: string, rows: number, padding: number | null = null) =>
      this.child(name, new Embedding(rows, embeddingSize, initializer, padding));
    this.wordEmbeddings = table("word_embeddings", vocabSize, padTokenId);
    this.positionEmbeddings = config.positionBiasedInput ? table("position_embeddings", maxPositionEmbeddings) : null;
    this.tokenTypeEmbeddings = typeVocabSize > 0 ? table("token_type_embeddings", typeVocabSize) : null;
    this.embedProj =
      embeddingSize === hiddenSize
        ? null
        : this.child("embed_proj", new Linear(embeddingSize, hiddenSize, { bias: false, initializer }));
    this.layerNorm = this.child("LayerNorm", new LayerNorm(hiddenSize, config.layerNormEps));
  }

  /**
   * @param before how many keys stand before the first token: positions count them
   * @param scope of the attention mask's nodes
   */
  forward(trace: Trace, { inputIds, attentionMask, tokenTypeIds }: TextTensors, before: number, scope: string): Stream {
    return this.scoped(() => {
      const embedded = this.sites.apply("embeddings", trace, {
        hidden: this.widened(trace, this.wordEmbeddings.forward(trace, inputIds)),
        attentionMask: attentionMask ?? null,
        tokenTypeIds: tokenTypeIds ?? null,
        inputIds,
        lengthened: false,
      });
      const { attentionMask: padding } = embedded;
      const positions = this.positionVectors(trace, embedded.hidden.shape[1] as Dim, before);
      const types = this.typeVectors(trace, embedded.tokenTypeIds);
      const sum = [positions, types].reduce<Tensor>((now, more) => (more ? add(now, more) : now), embedded.hidden);
      const normalised = this.layerNorm.forward(trace, sum);
      const hidden = trace.dropout(masked(normalised, padding), this.config.hiddenDropoutProb);
      // Padding sees nothing either, so that it weighs all alike; as segments, the mask says just that.
      const mask = new AttentionMask({ padding, segments: padding, scope });
      return new Stream({ hidden, mask, own: embedded.own ?? null });
    });
  }

  private positionVectors(trace: Trace, length: Dim, before: number): Tensor | null {
    const { positionEmbeddings: table } = this;
    if (table === null) return null;
    const rows = before === 0 ? table.firstRows(trace, length) : table.forward(trace, add(arange(length), before));
    return this.widened(trace, rows);
  }

  private typeVectors(trace: Trace, types: Tensor | null): Tensor | null {
    const { tokenTypeEmbeddings: table } = this;
    if (table === null) return null;
    return this.widened(trace, types ? table.forward(trace, types) : table.firstRows(trace, 1));
  }

  /** Each addend for itself, so that what tuning methods put among the words is as wide as the layers. */
  private widened(trace: Trace, vectors: Tensor): Tensor {
    return this.embedProj ? this.embedProj.forward(trace, vectors) : vectors;
  }
}

/** What the largest models add to the first layer: a convolution of the embeddings along the sequence. */
class ConvLayer extends Module {
  readonly conv: SequenceConvolution;
  readonly layerNorm: LayerNorm;

  constructor(readonly config: DebertaConfig) {
    super();
    const { hiddenSize, convKernelSize, initializerRange, layerNormEps } = config;
    const conv = new SequenceConvolution(hiddenSize, hiddenSize, convKernelSize, normal(initializerRange));
    this.conv = this.child("conv", conv);
    this.layerNorm = this.child("LayerNorm", new LayerNorm(hiddenSize, layerNormEps));
  }

  /** @param embedded what entered the first layer @param stream what left it */
  forward(trace: Trace, embedded: Tensor, stream: Stream): Stream {
    return this.scoped(() => {
      const { padding } = stream.mask;
      const convolved = masked(this.conv.forward(trace, embedded), padding);
      const acted = activations[this.config.convAct](trace.dropout(convolved, this.config.hiddenDropoutProb));
      return stream.with(masked(this.layerNorm.forward(trace, add(stream.hidden, acted)), padding));
    });
  }
}

/** BERT's layers with disentangled attention, the vectors of distances that all of them read, and the convolution. */
export class DebertaEncoder extends Module {
  readonly layer: ModuleList<EncoderLayer>;
  readonly relEmbeddings: Embedding | null;
  readonly layerNorm: LayerNorm | null;
  readonly conv: ConvLayer | null;

  constructor(readonly config: DebertaConfig) {
    super();
    const { distances, hiddenSize, initializerRange, layerNormEps } = config;
    const layers = Array.from(
      { length: config.numHiddenLayers },
      (_, index) => new EncoderLayer(config, index, new DisentangledSelfAttention(config)),
    );
    this.layer = this.child("layer", new ModuleList(layers));
    this.relEmbeddings =
      distances &&
      this.child("rel_embeddings", new Embedding(2 * distances.span, hiddenSize, normal(initializerRange)));
    this.layerNorm = config.normalizesDistances
      ? this.child("LayerNorm", new LayerNorm(hiddenSize, layerNormEps))
      : null;
    this.conv = config.convKernelSize > 0 ? this.child("conv", new ConvLayer(config)) : null;
  }

  forward(trace: Trace, stream: Stream): Stream {
    const relative = this.relativePositions(trace, stream.hidden.shape[1] as Dim);
    return this.layer.items.reduce(
      (now, layer) => {
        const left = layer.forward(trace, now);
        return layer.index === 0 && this.conv ? this.conv.forward(trace, stream.hidden, left) : left;
      },
      new Stream({ ...stream, relative }),
    );
  }

  private relativePositions(trace: Trace, length: Dim): RelativePositions | null {
    const { relEmbeddings, layerNorm } = this;
    const { distances, hiddenDropoutProb } = this.config;
    if (!relEmbeddings || !distances) return null;
    return this.scoped(() => {
      const table = trace.parameter(relEmbeddings.weight);
      const vectors = layerNorm ? layerNorm.forward(trace, table) : table;
      return new RelativePositions(vectors, distances, length, hiddenDropoutProb, this.path);
    });
  }
}
