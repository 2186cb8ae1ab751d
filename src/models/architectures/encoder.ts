import { add, type Tensor } from "../../graph/index.js";
import {
  type ActivationName,
  activations,
  Embedding,
  LayerNorm,
  Linear,
  type LinearLike,
  Module,
  ModuleList,
  normal,
  type Trace,
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
export function bertLinear(config: EncoderConfig, inFeatures: number, outFeatures: number): Linear {
  return new Linear(inFeatures, outFeatures, { initializer: normal(config.initializerRange) });
}

/** Word, position and segment vectors, added and normalised. */
export class BertEmbeddings extends Module {
  readonly wordEmbeddings: Embedding;
  readonly positionEmbeddings: Embedding;
  readonly tokenTypeEmbeddings: Embedding;
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
   * @param inputIds int32 [batch, sequence]
   * @param positions vectors that broadcast to [batch, sequence, hiddenSize]
   * @param tokenTypeIds int32 [batch, sequence]; all zero when absent
   */
  forward(trace: Trace, inputIds: Tensor, positions: Tensor, tokenTypeIds: Tensor | undefined): Tensor {
    return this.scoped(() => {
      const words = this.wordEmbeddings.forward(trace, inputIds);
      const segments = tokenTypeIds
        ? this.tokenTypeEmbeddings.forward(trace, tokenTypeIds)
        : this.tokenTypeEmbeddings.firstRows(trace, 1);
      const sum = add(add(words, segments), positions);
      return trace.dropout(this.layerNorm.forward(trace, sum), this.config.hiddenDropoutProb);
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

  forward(trace: Trace, x: Tensor, residual: Tensor): Tensor {
    return this.scoped(() => {
      const projected = trace.dropout(this.dense.forward(trace, x), this.config.hiddenDropoutProb);
      return this.layerNorm.forward(trace, add(projected, residual));
    });
  }
}

class Attention extends Module {
  readonly self: SelfAttention;
  readonly output: ResidualOutput;

  constructor(config: EncoderConfig) {
    super();
    const { hiddenSize, numAttentionHeads: heads, attentionProbsDropoutProb: dropout } = config;
    const projection = () => bertLinear(config, hiddenSize, hiddenSize);
    this.self = this.child("self", new SelfAttention({ heads, dropout, projection }));
    this.output = this.child("output", new ResidualOutput(config, hiddenSize));
  }

  forward(trace: Trace, x: Tensor, bias: Tensor | null): Tensor {
    return this.output.forward(trace, this.self.forward(trace, x, bias), x);
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

class EncoderLayer extends Module {
  readonly attention: Attention;
  readonly intermediate: Intermediate;
  readonly output: ResidualOutput;

  constructor(config: EncoderConfig) {
    super();
    this.attention = this.child("attention", new Attention(config));
    this.intermediate = this.child("intermediate", new Intermediate(config));
    this.output = this.child("output", new ResidualOutput(config, config.intermediateSize));
  }

  forward(trace: Trace, x: Tensor, bias: Tensor | null): Tensor {
    const attended = this.attention.forward(trace, x, bias);
    return this.output.forward(trace, this.intermediate.forward(trace, attended), attended);
  }
}

/** The stack of layers, normalised after each half (BERT, Devlin et al. 2019). */
export class BertEncoder extends Module {
  readonly layer: ModuleList<EncoderLayer>;

  constructor(config: EncoderConfig) {
    super();
    const layers = Array.from({ length: config.numHiddenLayers }, () => new EncoderLayer(config));
    this.layer = this.child("layer", new ModuleList(layers));
  }

  /** @param bias of paddingBias, or null where every position is seen */
  forward(trace: Trace, x: Tensor, bias: Tensor | null): Tensor {
    return this.layer.items.reduce((hidden, layer) => layer.forward(trace, hidden, bias), x);
  }
}
