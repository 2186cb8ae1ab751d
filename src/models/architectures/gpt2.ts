import * as z from "zod";
import { add, type Dim, slice, type Tensor } from "../../graph/index.js";
import {
  activations,
  Conv1D,
  type Embedded,
  Embedding,
  type EmbeddingLike,
  LayerNorm,
  Linear,
  type LinearLike,
  Module,
  ModuleList,
  normal,
  type Past,
  Sites,
  Stream,
  splitHeads,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { configError, fields, parseConfig, unsupportedConfig } from "../config.js";
import { oneSpelling } from "../module-names.js";
import { requireInput } from "../network.js";
import type { NetworkInputs, Ports } from "../ports.js";
import { CausalLM, Decoder, decoderAttention, decoderInputs } from "./decoder.js";
import { DecoderSequenceClassifier, DecoderTokenClassifier } from "./decoder-classifiers.js";

/** Old files hold the causal mask of each layer as a buffer, which is never read. */
export const gpt2Names = oneSpelling((name) => (/\.attn\.(masked_)?bias$/.test(name) ? undefined : name));

const schema = z.object({
  vocab_size: fields.size(50257),
  n_positions: fields.size(1024),
  n_embd: fields.size(768),
  n_layer: fields.layers(12),
  n_head: fields.size(12),
  n_inner: z.int().min(1).nullable().default(null),
  activation_function: fields.activation("gelu_new"),
  resid_pdrop: fields.dropout(0.1),
  embd_pdrop: fields.dropout(0.1),
  attn_pdrop: fields.dropout(0.1),
  layer_norm_epsilon: fields.epsilon(1e-5),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  pad_token_id: z.int().min(0).nullable().default(null),
  classifier_dropout: fields.optionalDropout,
  tie_word_embeddings: z.boolean().default(true),
  add_cross_attention: z.boolean().default(false),
});

export type Gpt2Config = ReturnType<typeof parseGpt2Config>;

/** Other models' names for some fields, which transformers takes as well. */
const aliases = {
  hidden_size: "n_embd",
  max_position_embeddings: "n_positions",
  num_attention_heads: "n_head",
  num_hidden_layers: "n_layer",
} as const;

/** @throws GraftError `invalid-config`, `unsupported` */
export function parseGpt2Config(raw: Readonly<Record<string, unknown>>, what: string) {
  const aliased = Object.entries(aliases).flatMap(([from, to]) => (raw[from] === undefined ? [] : [[to, raw[from]]]));
  const config = { ...parseConfig(schema, { ...Object.fromEntries(aliased), ...raw }, what), raw };
  const { nEmbd, nHead, vocabSize, padTokenId } = config;
  if (nEmbd % nHead !== 0) throw configError(what, `n_embd ${nEmbd} is no multiple of n_head ${nHead}`);
  if (padTokenId !== null && padTokenId >= vocabSize) {
    throw configError(what, `pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}`);
  }
  if (config.addCrossAttention) throw unsupportedConfig(what, "cross-attention (add_cross_attention)");
  return {
    ...config,
    hiddenSize: nEmbd,
    numAttentionHeads: nHead,
    numKeyValueHeads: nHead,
    headDim: nEmbd / nHead,
    windows: Array.from({ length: config.nLayer }, () => null),
    maxPositionEmbeddings: config.nPositions,
  };
}

class Gpt2Attention extends Module {
  readonly cAttn: LinearLike;
  readonly cProj: LinearLike;

  constructor(readonly config: Gpt2Config) {
    super();
    const { hiddenSize, initializerRange, nLayer } = config;
    this.cAttn = this.child("c_attn", new Conv1D(hiddenSize, 3 * hiddenSize, normal(initializerRange)));
    this.cProj = this.child("c_proj", new Conv1D(hiddenSize, hiddenSize, residualInit(initializerRange, nLayer)));
  }

  forward(trace: Trace, stream: Stream, layer: TransformerLayer): Tensor {
    return this.scoped(() => {
      const { hiddenSize, nHead, attnPdrop } = this.config;
      const fused = this.cAttn.forward(trace, stream.hidden);
      const part = (index: number) => splitHeads(slice(fused, 2, index * hiddenSize, (index + 1) * hiddenSize), nHead);
      const projected = { query: part(0), keys: part(1), values: part(2) };
      const options = { dropout: attnPdrop, alpha: this.scale(layer.index) };
      return this.cProj.forward(trace, decoderAttention(trace, stream, layer, projected, options));
    });
  }

  /** Factor on the scores of a layer. */
  private scale(layer: number): number {
    const { hiddenSize, nHead, scaleAttnWeights, scaleAttnByInverseLayerIdx } = this.config;
    const bySize = scaleAttnWeights ? 1 / Math.sqrt(hiddenSize / nHead) : 1;
    return scaleAttnByInverseLayerIdx ? bySize / (layer + 1) : bySize;
  }
}

/** What ends a half of a layer begins smaller, by the number of halves (Radford et al. 2019). */
const residualInit = (range: number, layers: number) => normal(range / Math.sqrt(2 * layers));

class Gpt2Mlp extends Module {
  readonly cFc: LinearLike;
  readonly cProj: LinearLike;

  constructor(readonly config: Gpt2Config) {
    super();
    const { hiddenSize, nInner, initializerRange, nLayer } = config;
    const inner = nInner ?? 4 * hiddenSize;
    this.cFc = this.child("c_fc", new Conv1D(hiddenSize, inner, normal(initializerRange)));
    this.cProj = this.child("c_proj", new Conv1D(inner, hiddenSize, residualInit(initializerRange, nLayer)));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() =>
      this.cProj.forward(trace, activations[this.config.activationFunction](this.cFc.forward(trace, x))),
    );
  }
}

/** One layer, normalised before each half. */
class Gpt2Block extends Module implements TransformerLayer {
  readonly sites = new Sites();
  readonly ln1: LayerNorm;
  readonly attn: Gpt2Attention;
  readonly ln2: LayerNorm;
  readonly mlp: Gpt2Mlp;

  constructor(
    readonly config: Gpt2Config,
    readonly index: number,
  ) {
    super();
    const { hiddenSize, layerNormEpsilon } = config;
    this.ln1 = this.child("ln_1", new LayerNorm(hiddenSize, layerNormEpsilon));
    this.attn = this.child("attn", new Gpt2Attention(config));
    this.ln2 = this.child("ln_2", new LayerNorm(hiddenSize, layerNormEpsilon));
    this.mlp = this.child("mlp", new Gpt2Mlp(config));
  }

  forward(trace: Trace, stream: Stream): Stream {
    return this.scoped(() => {
      const entering = this.sites.apply("layerInput", trace, stream);
      const normalised = entering.with(this.ln1.forward(trace, entering.hidden));
      const middle = this.join(trace, "attentionOutput", this.attn.forward(trace, normalised, this), entering);
      const fed = this.mlp.forward(trace, this.ln2.forward(trace, middle.hidden));
      return this.sites.apply("layerOutput", trace, this.join(trace, "feedForwardOutput", fed, middle));
    });
  }

  /** The end of a half: dropout, and what entered it added. */
  private join(trace: Trace, site: "attentionOutput" | "feedForwardOutput", x: Tensor, stream: Stream): Stream {
    const residual = stream.hidden;
    const dropped = trace.dropout(x, this.config.residPdrop);
    const { output } = this.sites.apply(site, trace, { stream, output: dropped, residual, norm: null });
    return stream.with(add(output, residual));
  }
}

/** GPT2Model (Radford et al. 2019): token and position vectors, layers, a last LayerNorm. */
export class Gpt2Model extends Decoder {
  readonly className = "GPT2Model";
  readonly inputs: Ports;
  readonly wordEmbeddings: Embedding;
  private readonly sites = new Sites();
  readonly wte: EmbeddingLike;
  readonly wpe: EmbeddingLike;
  readonly h: ModuleList<Gpt2Block>;
  readonly lnF: LayerNorm;

  constructor(readonly config: Gpt2Config) {
    super();
    const { vocabSize, hiddenSize, nPositions, nLayer, initializerRange, layerNormEpsilon } = config;
    this.inputs = decoderInputs(config);
    this.wordEmbeddings = new Embedding(vocabSize, hiddenSize, normal(initializerRange));
    this.wte = this.child("wte", this.wordEmbeddings);
    this.wpe = this.child("wpe", new Embedding(nPositions, hiddenSize, normal(initializerRange)));
    const blocks = Array.from({ length: nLayer }, (_, index) => new Gpt2Block(config, index));
    this.h = this.child("h", new ModuleList(blocks));
    this.lnF = this.child("ln_f", new LayerNorm(hiddenSize, layerNormEpsilon));
  }

  override get layers(): readonly (Module & TransformerLayer)[] {
    return this.h.items;
  }

  override get embeddingSites(): Sites {
    return this.sites;
  }

  decode(trace: Trace, inputs: NetworkInputs, past: Past | null = null): Stream {
    return this.scoped(() => {
      const inputIds = requireInput(inputs, "inputIds");
      const embedded = this.sites.apply("embeddings", trace, {
        hidden: this.wte.forward(trace, inputIds),
        attentionMask: inputs.attentionMask ?? null,
        tokenTypeIds: null,
        inputIds,
        lengthened: false,
      });
      const sum = add(embedded.hidden, this.positionVectors(trace, inputs, embedded));
      const hidden = trace.dropout(sum, this.config.embdPdrop);
      const mask = this.maskOf(inputs, embedded);
      const entering = new Stream({ hidden, mask, past, own: embedded.own ?? null });
      const leaving = this.h.items.reduce((stream, block) => block.forward(trace, stream), entering);
      return leaving.with(this.lnF.forward(trace, leaving.hidden));
    });
  }

  private positionVectors(trace: Trace, inputs: NetworkInputs, embedded: Embedded): Tensor {
    const isCounted = inputs.positionIds === undefined || embedded.lengthened;
    if (isCounted && this.prefixLength === 0) return this.wpe.firstRows(trace, embedded.hidden.shape[1] as Dim);
    return this.wpe.forward(trace, this.positions(inputs, embedded));
  }
}

const head = (config: Gpt2Config, outFeatures: number, bias: boolean, tied: Linear["weight"] | null = null) =>
  new Linear(config.hiddenSize, outFeatures, { bias, initializer: normal(config.initializerRange), tied });

/** GPT2LMHeadModel: a projection on the vocabulary, by default the table of embeddings. */
export class Gpt2LMHeadModel extends CausalLM<Gpt2Model> {
  readonly className = "GPT2LMHeadModel";

  constructor(config: Gpt2Config) {
    super("transformer", new Gpt2Model(config), (tied) => head(config, config.vocabSize, false, tied));
  }
}

/** GPT2ForSequenceClassification: a Linear on each text's last token. */
export class Gpt2ForSequenceClassification extends DecoderSequenceClassifier<Gpt2Model> {
  readonly className = "GPT2ForSequenceClassification";

  constructor(config: Gpt2Config) {
    super("transformer", new Gpt2Model(config), head(config, config.numLabels, false));
  }
}

/** GPT2ForTokenClassification: dropout and a Linear on every position. */
export class Gpt2ForTokenClassification extends DecoderTokenClassifier<Gpt2Model> {
  readonly className = "GPT2ForTokenClassification";

  constructor(config: Gpt2Config) {
    const classifier = head(config, config.numLabels, true);
    super("transformer", new Gpt2Model(config), "classifier", classifier, config.classifierDropout ?? 0.1);
  }
}
