import * as z from "zod";
import { add, concat, type Dim, expand, type Tensor } from "../../graph/index.js";
import {
  AttentionMask,
  activations,
  LayerNorm,
  Linear,
  type LinearLike,
  Module,
  ModuleList,
  Parameter,
  Sites,
  Stream,
  type Trace,
  type TransformerLayer,
  truncatedNormal,
} from "../../nn/index.js";
import { configError, fields, parseConfig, transformerFields } from "../config.js";
import { classification } from "../heads/classification.js";
import { firstPosition } from "../heads/first-position.js";
import { type Head, withLoss } from "../heads/head.js";
import { twoSpellings } from "../module-names.js";
import { Network, requireInput } from "../network.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";
import { PatchEmbeddings } from "./patch-embeddings.js";
import { SelfAttention } from "./self-attention.js";

const schema = z.object({
  ...transformerFields,
  hidden_dropout_prob: fields.dropout(0),
  attention_probs_dropout_prob: fields.dropout(0),
  layer_norm_eps: fields.epsilon(1e-12),
  image_size: fields.extent(224),
  patch_size: fields.extent(16),
  num_channels: fields.size(3),
  qkv_bias: z.boolean().default(true),
  pooler_output_size: fields.size(768).nullish(),
  pooler_act: fields.activation("tanh"),
});

/** transformers 5 renamed ViT's layers in memory; files keep the old names. */
export const vitNames = twoSpellings({
  layers: { v4: "encoder.layer", v5: "layers" },
  inside: [
    ["attention.attention.query", "attention.q_proj"],
    ["attention.attention.key", "attention.k_proj"],
    ["attention.attention.value", "attention.v_proj"],
    ["attention.output.dense", "attention.o_proj"],
    ["intermediate.dense", "mlp.fc1"],
    ["output.dense", "mlp.fc2"],
  ],
});

export type VitConfig = ReturnType<typeof parseVitConfig>;

const pairOf = (extent: number | [number, number]): [number, number] =>
  typeof extent === "number" ? [extent, extent] : extent;

export function parseVitConfig(raw: Readonly<Record<string, unknown>>, what: string) {
  const config = parseConfig(schema, { ...raw, pooler_output_size: raw.pooler_output_size ?? null }, what);
  const { hiddenSize, numAttentionHeads } = config;
  const [imageSize, patchSize] = [pairOf(config.imageSize), pairOf(config.patchSize)];
  if (hiddenSize % numAttentionHeads !== 0) {
    throw configError(what, `hidden_size ${hiddenSize} is no multiple of num_attention_heads ${numAttentionHeads}`);
  }
  if (patchSize.some((size, axis) => size > (imageSize[axis] as number))) {
    throw configError(what, `patch_size ${patchSize} is larger than image_size ${imageSize}`);
  }
  return { ...config, raw, imageSize, patchSize };
}

function vitLinear(config: VitConfig, inFeatures: number, outFeatures: number, bias = true): Linear {
  return new Linear(inFeatures, outFeatures, { bias, initializer: truncatedNormal(config.initializerRange) });
}

/** A class token before the patches, and a position vector for each. */
class VitEmbeddings extends Module {
  readonly sites = new Sites();
  readonly clsToken: Parameter;
  readonly positionEmbeddings: Parameter;
  readonly patchEmbeddings: PatchEmbeddings;

  constructor(readonly config: VitConfig) {
    super();
    const { hiddenSize, initializerRange } = config;
    this.patchEmbeddings = new PatchEmbeddings(config);
    this.clsToken = this.parameter("cls_token", new Parameter([1, 1, hiddenSize]));
    this.positionEmbeddings = this.parameter(
      "position_embeddings",
      new Parameter([1, this.patchEmbeddings.count + 1, hiddenSize]),
    );
    this.clsToken.initializer = truncatedNormal(initializerRange);
    this.positionEmbeddings.initializer = truncatedNormal(initializerRange);
    this.child("patch_embeddings", this.patchEmbeddings);
  }

  forward(trace: Trace, pixelValues: Tensor): Tensor {
    return this.scoped(() => {
      const patches = this.patchEmbeddings.forward(trace, pixelValues);
      const [batch, , features] = patches.shape as [Dim, Dim, Dim];
      const token = expand(trace.parameter(this.clsToken), [batch, 1, features]);
      const embedded = add(concat([token, patches], 1), trace.parameter(this.positionEmbeddings));
      const hidden = trace.dropout(embedded, this.config.hiddenDropoutProb);
      const given = { hidden, attentionMask: null, tokenTypeIds: null, inputIds: null, lengthened: false };
      return this.sites.apply("embeddings", trace, given).hidden;
    });
  }
}

/** A Linear named "dense", as three places of a layer hold one. */
class Dense extends Module {
  readonly dense: LinearLike;

  constructor(config: VitConfig, inFeatures: number, outFeatures: number) {
    super();
    this.dense = this.child("dense", vitLinear(config, inFeatures, outFeatures));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.dense.forward(trace, x);
  }
}

class Attention extends Module {
  readonly attention: SelfAttention;
  readonly output: Dense;

  constructor(config: VitConfig) {
    super();
    const { hiddenSize, qkvBias, numAttentionHeads: heads, attentionProbsDropoutProb: dropout } = config;
    const projection = () => vitLinear(config, hiddenSize, hiddenSize, qkvBias);
    this.attention = this.child("attention", new SelfAttention({ heads, dropout, projection }));
    this.output = this.child("output", new Dense(config, hiddenSize, hiddenSize));
  }

  forward(trace: Trace, stream: Stream, layer: TransformerLayer): Tensor {
    return this.output.forward(trace, this.attention.forward(trace, stream, layer));
  }
}

/** One layer, normalised before each half. */
class VitLayer extends Module implements TransformerLayer {
  readonly sites = new Sites();
  readonly attention: Attention;
  readonly intermediate: Dense;
  readonly output: Dense;
  readonly layernormBefore: LayerNorm;
  readonly layernormAfter: LayerNorm;

  constructor(
    readonly config: VitConfig,
    readonly index: number,
  ) {
    super();
    const { hiddenSize, intermediateSize, layerNormEps } = config;
    this.attention = this.child("attention", new Attention(config));
    this.intermediate = this.child("intermediate", new Dense(config, hiddenSize, intermediateSize));
    this.output = this.child("output", new Dense(config, intermediateSize, hiddenSize));
    this.layernormBefore = this.child("layernorm_before", new LayerNorm(hiddenSize, layerNormEps));
    this.layernormAfter = this.child("layernorm_after", new LayerNorm(hiddenSize, layerNormEps));
  }

  forward(trace: Trace, stream: Stream): Stream {
    return this.scoped(() => {
      const entering = this.sites.apply("layerInput", trace, stream);
      const normalised = entering.with(this.layernormBefore.forward(trace, entering.hidden));
      const middle = this.join(trace, "attentionOutput", this.attention.forward(trace, normalised, this), entering);
      const widened = this.intermediate.forward(trace, this.layernormAfter.forward(trace, middle.hidden));
      const narrowed = this.output.forward(trace, activations[this.config.hiddenAct](widened));
      return this.sites.apply("layerOutput", trace, this.join(trace, "feedForwardOutput", narrowed, middle));
    });
  }

  /** The end of a half: dropout, and what entered it added. */
  private join(trace: Trace, site: "attentionOutput" | "feedForwardOutput", x: Tensor, stream: Stream): Stream {
    const residual = stream.hidden;
    const dropped = trace.dropout(x, this.config.hiddenDropoutProb);
    const { output } = this.sites.apply(site, trace, { stream, output: dropped, residual, norm: null });
    return stream.with(add(output, residual));
  }
}

class VitEncoder extends Module {
  readonly layer: ModuleList<VitLayer>;

  constructor(config: VitConfig) {
    super();
    const layers = Array.from({ length: config.numHiddenLayers }, (_, index) => new VitLayer(config, index));
    this.layer = this.child("layer", new ModuleList(layers));
  }

  forward(trace: Trace, stream: Stream): Stream {
    return this.layer.items.reduce((now, layer) => layer.forward(trace, now), stream);
  }
}

class VitPooler extends Module {
  readonly dense: LinearLike;

  constructor(readonly config: VitConfig) {
    super();
    this.dense = this.child(
      "dense",
      vitLinear(config, config.hiddenSize, config.poolerOutputSize ?? config.hiddenSize),
    );
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => activations[this.config.poolerAct](this.dense.forward(trace, firstPosition(x))));
  }
}

/** ViTModel: the Vision Transformer (Dosovitskiy et al. 2021). */
export class VitModel extends Network {
  readonly className = "ViTModel";
  readonly head = null;
  readonly inputs: Ports;
  readonly embeddings: VitEmbeddings;
  readonly encoder: VitEncoder;
  readonly layernorm: LayerNorm;
  readonly pooler: VitPooler | null;

  /** @param withPooler false inside classifiers, which read the class token themselves */
  constructor(
    readonly config: VitConfig,
    withPooler = true,
  ) {
    super();
    const { numChannels, imageSize } = config;
    this.inputs = { pixelValues: { dtype: "float32", shape: ["batch", numChannels, ...imageSize], required: true } };
    this.embeddings = this.child("embeddings", new VitEmbeddings(config));
    this.encoder = this.child("encoder", new VitEncoder(config));
    this.layernorm = this.child("layernorm", new LayerNorm(config.hiddenSize, config.layerNormEps));
    this.pooler = withPooler ? this.child("pooler", new VitPooler(config)) : null;
  }

  override get layers(): readonly (Module & TransformerLayer)[] {
    return this.encoder.layer.items;
  }

  override get embeddingSites(): Sites {
    return this.embeddings.sites;
  }

  forward(trace: Trace, inputs: NetworkInputs): { lastHiddenState: Tensor; poolerOutput?: Tensor } {
    return this.scoped(() => {
      const hidden = this.embeddings.forward(trace, requireInput(inputs, "pixelValues"));
      const stream = new Stream({ hidden, mask: new AttentionMask() });
      const lastHiddenState = this.layernorm.forward(trace, this.encoder.forward(trace, stream).hidden);
      if (!this.pooler) return { lastHiddenState };
      return { lastHiddenState, poolerOutput: this.pooler.forward(trace, lastHiddenState) };
    });
  }
}

/** ViTForImageClassification: a Linear on the class token. */
export class VitForImageClassification extends Network {
  readonly className = "ViTForImageClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly vit: VitModel;
  readonly classifier: LinearLike;

  constructor(readonly config: VitConfig) {
    super();
    this.head = classification(config);
    this.vit = this.child("vit", new VitModel(config, false));
    this.inputs = this.vit.inputs;
    this.classifier = this.child("classifier", vitLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { lastHiddenState } = this.vit.forward(trace, inputs);
    const logits = this.classifier.forward(trace, firstPosition(lastHiddenState));
    return withLoss(this.head, { logits }, inputs);
  }
}
