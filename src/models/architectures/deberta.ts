import type { Tensor } from "../../graph/index.js";
import {
  activations,
  type LinearLike,
  Module,
  ownTokens,
  type Sites,
  type Stream,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { classification } from "../heads/classification.js";
import { firstPosition } from "../heads/first-position.js";
import { type Head, withLoss } from "../heads/head.js";
import { tokenClassification } from "../heads/token-classification.js";
import { Network, requireInput } from "../network.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";
import { textInputs } from "./bert.js";
import type { DebertaConfig } from "./deberta-config.js";
import { DebertaEmbeddings, DebertaEncoder } from "./deberta-encoder.js";
import { bertLinear } from "./encoder.js";

/** Sequences end with the position table, where there is one, and may have any length otherwise; token types are taken and passed over where there are none. */
function inputsOf(config: DebertaConfig): Ports {
  const { inputIds, tokenTypeIds, ...rest } = textInputs(config, config.maxPositionEmbeddings);
  const { longest, ...unlimited } = inputIds as NonNullable<typeof inputIds>;
  return {
    inputIds: config.positionBiasedInput ? inputIds : { ...unlimited, usualLength: config.maxPositionEmbeddings },
    ...rest,
    tokenTypeIds: tokenTypeIds ?? { dtype: "int32", shape: unlimited.shape, isIgnored: true },
  };
}

/** DebertaV2Model: DeBERTa-v2 and v3, whose attention reads distances between tokens (He et al. 2021). */
export class DebertaV2Model extends Network {
  readonly className = "DebertaV2Model";
  readonly head = null;
  readonly inputs: Ports;
  readonly embeddings: DebertaEmbeddings;
  readonly encoder: DebertaEncoder;

  constructor(readonly config: DebertaConfig) {
    super();
    this.inputs = inputsOf(config);
    this.embeddings = this.child("embeddings", new DebertaEmbeddings(config));
    this.encoder = this.child("encoder", new DebertaEncoder(config));
  }

  override get layers(): readonly (Module & TransformerLayer)[] {
    return this.encoder.layer.items;
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
      const text = { ...inputs, inputIds: requireInput(inputs, "inputIds") };
      return this.encoder.forward(trace, this.embeddings.forward(trace, text, this.prefixLength, this.path));
    });
  }
}

/** An activation of a Linear of the first position. */
class ContextPooler extends Module {
  readonly dense: LinearLike;

  constructor(readonly config: DebertaConfig) {
    super();
    this.dense = this.child("dense", bertLinear(config, config.hiddenSize, config.hiddenSize));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const first = trace.dropout(firstPosition(x), this.config.poolerDropout);
      return activations[this.config.poolerHiddenAct](this.dense.forward(trace, first));
    });
  }
}

/** DebertaV2ForSequenceClassification: a Linear on the pooled output. */
export class DebertaV2ForSequenceClassification extends Network {
  readonly className = "DebertaV2ForSequenceClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly deberta: DebertaV2Model;
  readonly pooler: ContextPooler;
  readonly classifier: LinearLike;

  constructor(readonly config: DebertaConfig) {
    super();
    this.head = classification(config);
    this.deberta = this.child("deberta", new DebertaV2Model(config));
    this.inputs = this.deberta.inputs;
    this.pooler = this.child("pooler", new ContextPooler(config));
    this.classifier = this.child("classifier", bertLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { lastHiddenState } = this.deberta.forward(trace, inputs);
    return this.scoped(() => {
      const dropout = this.config.clsDropout ?? this.config.hiddenDropoutProb;
      const pooled = this.pooler.forward(trace, lastHiddenState);
      return withLoss(this.head, { logits: this.classifier.forward(trace, trace.dropout(pooled, dropout)) }, inputs);
    });
  }
}

/** DebertaV2ForTokenClassification: dropout and a Linear on every position. */
export class DebertaV2ForTokenClassification extends Network {
  readonly className = "DebertaV2ForTokenClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly deberta: DebertaV2Model;
  readonly classifier: LinearLike;

  constructor(readonly config: DebertaConfig) {
    super();
    this.head = tokenClassification(config);
    this.deberta = this.child("deberta", new DebertaV2Model(config));
    this.inputs = this.deberta.inputs;
    this.classifier = this.child("classifier", bertLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { hidden, own } = this.deberta.encode(trace, inputs);
    return this.scoped(() => {
      const dropped = trace.dropout(ownTokens(hidden, own), this.config.hiddenDropoutProb);
      return withLoss(this.head, { logits: this.classifier.forward(trace, dropped) }, inputs);
    });
  }
}
