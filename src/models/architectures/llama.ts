import { add, mul, type Tensor } from "../../graph/index.js";
import {
  type AttentionMask,
  activations,
  Embedding,
  type EmbeddingLike,
  Linear,
  type LinearLike,
  Module,
  ModuleList,
  normal,
  type Past,
  RMSNorm,
  type Rotation,
  rotate,
  rotationOf,
  Sites,
  Stream,
  splitHeads,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { oneSpelling } from "../module-names.js";
import { type Network, requireInput } from "../network.js";
import type { NetworkInputs, Ports } from "../ports.js";
import { CausalLM, Decoder, decoderAttention, decoderInputs } from "./decoder.js";
import { DecoderSequenceClassifier, DecoderTokenClassifier } from "./decoder-classifiers.js";
import type { LlamaConfig } from "./llama-config.js";

/** Old files hold the rotary frequencies of each layer as a buffer, which follow from the config. */
export const llamaNames = oneSpelling((name) => (name.endsWith("rotary_emb.inv_freq") ? undefined : name));

function linear(config: LlamaConfig, inFeatures: number, outFeatures: number, bias: boolean): Linear {
  return new Linear(inFeatures, outFeatures, { bias, initializer: normal(config.initializerRange) });
}

class LlamaAttention extends Module {
  readonly qProj: LinearLike;
  readonly kProj: LinearLike;
  readonly vProj: LinearLike;
  readonly oProj: LinearLike;
  readonly qNorm: RMSNorm | null;
  readonly kNorm: RMSNorm | null;

  constructor(readonly config: LlamaConfig) {
    super();
    const { hiddenSize, numAttentionHeads, numKeyValueHeads, headDim, qkvBias, outputBias, rmsNormEps } = config;
    const [queries, keys] = [numAttentionHeads * headDim, numKeyValueHeads * headDim];
    this.qProj = this.child("q_proj", linear(config, hiddenSize, queries, qkvBias));
    this.kProj = this.child("k_proj", linear(config, hiddenSize, keys, qkvBias));
    this.vProj = this.child("v_proj", linear(config, hiddenSize, keys, qkvBias));
    this.oProj = this.child("o_proj", linear(config, queries, hiddenSize, outputBias));
    this.qNorm = config.normalisesHeads ? this.child("q_norm", new RMSNorm(headDim, rmsNormEps)) : null;
    this.kNorm = config.normalisesHeads ? this.child("k_norm", new RMSNorm(headDim, rmsNormEps)) : null;
  }

  forward(trace: Trace, stream: Stream, layer: TransformerLayer, rotation: Rotation): Tensor {
    return this.scoped(() => {
      const { numAttentionHeads, numKeyValueHeads, attentionDropout: dropout } = this.config;
      const heads = (projection: LinearLike, count: number) =>
        splitHeads(projection.forward(trace, stream.hidden), count);
      const turned = (x: Tensor, norm: RMSNorm | null) => rotate(norm ? norm.forward(trace, x) : x, rotation);
      const query = turned(heads(this.qProj, numAttentionHeads), this.qNorm);
      const keys = turned(heads(this.kProj, numKeyValueHeads), this.kNorm);
      const values = heads(this.vProj, numKeyValueHeads);
      return this.oProj.forward(trace, decoderAttention(trace, stream, layer, { query, keys, values }, { dropout }));
    });
  }
}

/** SwiGLU (Shazeer 2020): down(act(gate(x)) * up(x)). */
class LlamaMlp extends Module {
  readonly gateProj: LinearLike;
  readonly upProj: LinearLike;
  readonly downProj: LinearLike;

  constructor(readonly config: LlamaConfig) {
    super();
    const { hiddenSize, intermediateSize, mlpBias } = config;
    this.gateProj = this.child("gate_proj", linear(config, hiddenSize, intermediateSize, mlpBias));
    this.upProj = this.child("up_proj", linear(config, hiddenSize, intermediateSize, mlpBias));
    this.downProj = this.child("down_proj", linear(config, intermediateSize, hiddenSize, mlpBias));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const gate = activations[this.config.hiddenAct](this.gateProj.forward(trace, x));
      return this.downProj.forward(trace, mul(gate, this.upProj.forward(trace, x)));
    });
  }
}

/** One layer, normalised before each half. */
class LlamaLayer extends Module implements TransformerLayer {
  readonly sites = new Sites();
  readonly selfAttn: LlamaAttention;
  readonly mlp: LlamaMlp;
  readonly inputLayernorm: RMSNorm;
  readonly postAttentionLayernorm: RMSNorm;

  constructor(
    readonly config: LlamaConfig,
    readonly index: number,
  ) {
    super();
    const { hiddenSize, rmsNormEps } = config;
    this.selfAttn = this.child("self_attn", new LlamaAttention(config));
    this.mlp = this.child("mlp", new LlamaMlp(config));
    this.inputLayernorm = this.child("input_layernorm", new RMSNorm(hiddenSize, rmsNormEps));
    this.postAttentionLayernorm = this.child("post_attention_layernorm", new RMSNorm(hiddenSize, rmsNormEps));
  }

  forward(trace: Trace, stream: Stream, rotation: Rotation): Stream {
    return this.scoped(() => {
      const entering = this.sites.apply("layerInput", trace, stream);
      const normalised = entering.with(this.inputLayernorm.forward(trace, entering.hidden));
      const attended = this.selfAttn.forward(trace, normalised, this, rotation);
      const middle = this.join(trace, "attentionOutput", attended, entering);
      const fed = this.mlp.forward(trace, this.postAttentionLayernorm.forward(trace, middle.hidden));
      return this.sites.apply("layerOutput", trace, this.join(trace, "feedForwardOutput", fed, middle));
    });
  }

  /** The end of a half: what entered it is added. */
  private join(trace: Trace, site: "attentionOutput" | "feedForwardOutput", x: Tensor, stream: Stream): Stream {
    const residual = stream.hidden;
    const { output } = this.sites.apply(site, trace, { stream, output: x, residual, norm: null });
    return stream.with(add(output, residual));
  }
}

/** LlamaModel (Touvron et al. 2023) and its relatives: token vectors, layers with rotary positions, a last RMSNorm. */
export abstract class LlamaModel extends Decoder {
  readonly inputs: Ports;
  readonly wordEmbeddings: Embedding;
  private readonly sites = new Sites();
  readonly embedTokens: EmbeddingLike;
  readonly stack: ModuleList<LlamaLayer>;
  readonly norm: RMSNorm;

  constructor(readonly config: LlamaConfig) {
    super();
    const { vocabSize, hiddenSize, numHiddenLayers, initializerRange, padTokenId, rmsNormEps } = config;
    this.inputs = decoderInputs(config);
    this.wordEmbeddings = new Embedding(vocabSize, hiddenSize, normal(initializerRange), padTokenId);
    this.embedTokens = this.child("embed_tokens", this.wordEmbeddings);
    const layers = Array.from({ length: numHiddenLayers }, (_, index) => new LlamaLayer(config, index));
    this.stack = this.child("layers", new ModuleList(layers));
    this.norm = this.child("norm", new RMSNorm(hiddenSize, rmsNormEps));
  }

  override get layers(): readonly (Module & TransformerLayer)[] {
    return this.stack.items;
  }

  override get embeddingSites(): Sites {
    return this.sites;
  }

  decode(trace: Trace, inputs: NetworkInputs, past: Past | null = null): Stream {
    return this.scoped(() => {
      const inputIds = requireInput(inputs, "inputIds");
      const embedded = this.sites.apply("embeddings", trace, {
        hidden: this.embedTokens.forward(trace, inputIds),
        attentionMask: inputs.attentionMask ?? null,
        tokenTypeIds: null,
        inputIds,
        lengthened: false,
      });
      const { hidden, own = null } = embedded;
      const rotation = rotationOf(this.positions(inputs, embedded), this.config.rotary);
      const mask = this.maskOf(inputs, embedded);
      const leaving = this.stack.items.reduce(
        (stream, layer) => layer.forward(trace, this.seenBy(stream, mask, layer.index), rotation),
        new Stream({ hidden, mask, past, own }),
      );
      return leaving.with(this.norm.forward(trace, leaving.hidden));
    });
  }

  /** The stream as a layer's window shows it. */
  private seenBy(stream: Stream, whole: AttentionMask, index: number): Stream {
    const window = this.config.windows[index] ?? null;
    return new Stream({ ...stream, mask: window === null ? whole : whole.withWindow(window) });
  }
}

type Constructor = new (config: LlamaConfig) => Network;

/**
 * The networks of one model type of the family.
 * @param prefix of transformers' classes ("Mistral")
 */
export function llamaNetworks(prefix: string): {
  readonly [H in "base" | "causalLM" | "sequenceClassification" | "tokenClassification"]: Constructor;
} {
  class Model extends LlamaModel {
    readonly className = `${prefix}Model`;
  }
  class LanguageModel extends CausalLM<LlamaModel> {
    readonly className = `${prefix}ForCausalLM`;

    constructor(config: LlamaConfig) {
      const { hiddenSize, vocabSize, initializerRange } = config;
      const initializer = normal(initializerRange);
      super(
        "model",
        new Model(config),
        (tied) => new Linear(hiddenSize, vocabSize, { bias: false, initializer, tied }),
      );
    }
  }
  class SequenceClassifier extends DecoderSequenceClassifier<LlamaModel> {
    readonly className = `${prefix}ForSequenceClassification`;

    constructor(config: LlamaConfig) {
      super("model", new Model(config), linear(config, config.hiddenSize, config.numLabels, false));
    }
  }
  class TokenClassifier extends DecoderTokenClassifier<LlamaModel> {
    readonly className = `${prefix}ForTokenClassification`;

    constructor(config: LlamaConfig) {
      const score = linear(config, config.hiddenSize, config.numLabels, true);
      super("model", new Model(config), "score", score, config.classifierDropout ?? 0.1);
    }
  }
  return {
    base: Model,
    causalLM: LanguageModel,
    sequenceClassification: SequenceClassifier,
    tokenClassification: TokenClassifier,
  };
}
