import * as z from "zod";
import { add, cast, cumSum, type Dim, equal, mul, scalar, sub, type Tensor, tanh } from "../../graph/index.js";
import {
  AttentionMask,
  arange,
  type Embedded,
  type LinearLike,
  Module,
  ownTokens,
  type Sites,
  Stream,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import { configError, parseConfig } from "../config.js";
import { classification } from "../heads/classification.js";
import { firstPosition } from "../heads/first-position.js";
import { type Head, withLoss } from "../heads/head.js";
import { tokenClassification } from "../heads/token-classification.js";
import { Network, requireInput } from "../network.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";
import { bertFields, checkBertConfig, Pooler, textInputs } from "./bert.js";
import { BertEmbeddings, BertEncoder, bertLinear } from "./encoder.js";

const schema = z.object({
  ...bertFields,
  vocab_size: bertFields.vocab_size.default(50265),
  pad_token_id: z.int().min(0).default(1),
});

export type RobertaConfig = ReturnType<typeof parseRobertaConfig>;

export function parseRobertaConfig(raw: Readonly<Record<string, unknown>>, what: string) {
  const config = parseConfig(schema, raw, what);
  checkBertConfig(config, what);
  const { padTokenId, maxPositionEmbeddings } = config;
  if (padTokenId + 1 >= maxPositionEmbeddings) {
    throw configError(what, `max_position_embeddings ${maxPositionEmbeddings} leaves no position after the padding's`);
  }
  return config;
}

/** RobertaModel: BERT's body with positions that skip padding (Liu et al. 2019). */
export class RobertaModel extends Network {
  readonly className = "RobertaModel";
  readonly head = null;
  readonly inputs: Ports;
  readonly embeddings: BertEmbeddings;
  readonly encoder: BertEncoder;
  readonly pooler: Pooler | null;

  /** @param withPooler false inside classifiers, which read the encoder's output themselves */
  constructor(
    readonly config: RobertaConfig,
    withPooler = true,
  ) {
    super();
    this.inputs = textInputs(config, config.maxPositionEmbeddings - config.padTokenId - 1);
    this.embeddings = this.child("embeddings", new BertEmbeddings(config, config.padTokenId));
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
      const inputIds = requireInput(inputs, "inputIds");
      const { hidden, attentionMask, own } = this.embeddings.forward(trace, { ...inputs, inputIds }, (embedded) => {
        const ids = this.scoped(() => this.positionIds(inputIds, embedded));
        return this.embeddings.positionEmbeddings.forward(trace, ids);
      });
      const mask = new AttentionMask({ padding: attentionMask, scope: this.path });
      return this.encoder.forward(trace, new Stream({ hidden, mask, own }));
    });
  }

  /**
   * Positions count the tokens that are not padding, from padTokenId + 1; padding itself is at padTokenId. Where there
   * are vectors without ids, all count, and keys before them do not, as in transformers.
   */
  private positionIds(inputIds: Tensor, { hidden, lengthened }: Embedded): Tensor {
    const { padTokenId } = this.config;
    if (lengthened) return add(arange(hidden.shape[1] as Dim), padTokenId + 1);
    const isToken = sub(1, cast(equal(inputIds, scalar(padTokenId, "int32")), "int32"));
    const count = cumSum(isToken, 1);
    const position = this.prefixLength > 0 ? add(count, this.prefixLength) : count;
    return add(mul(position, isToken), padTokenId);
  }
}

/** RoBERTa's classifier: dropout, dense, tanh, dropout, projection of the first position. */
class ClassificationHead extends Module {
  readonly dense: LinearLike;
  readonly outProj: LinearLike;

  constructor(readonly config: RobertaConfig) {
    super();
    this.dense = this.child("dense", bertLinear(config, config.hiddenSize, config.hiddenSize));
    this.outProj = this.child("out_proj", bertLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, x: Tensor): Tensor {
    return this.scoped(() => {
      const dropout = this.config.classifierDropout ?? this.config.hiddenDropoutProb;
      const first = trace.dropout(firstPosition(x), dropout);
      return this.outProj.forward(trace, trace.dropout(tanh(this.dense.forward(trace, first)), dropout));
    });
  }
}

/** RobertaForSequenceClassification. */
export class RobertaForSequenceClassification extends Network {
  readonly className = "RobertaForSequenceClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly roberta: RobertaModel;
  readonly classifier: Module & LinearLike;

  constructor(readonly config: RobertaConfig) {
    super();
    this.head = classification(config);
    this.roberta = this.child("roberta", new RobertaModel(config, false));
    this.inputs = this.roberta.inputs;
    this.classifier = this.child("classifier", new ClassificationHead(config));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { lastHiddenState } = this.roberta.forward(trace, inputs);
    return withLoss(this.head, { logits: this.classifier.forward(trace, lastHiddenState) }, inputs);
  }
}

/** RobertaForTokenClassification: dropout and a Linear on every position. */
export class RobertaForTokenClassification extends Network {
  readonly className = "RobertaForTokenClassification";
  readonly head: Head;
  readonly inputs: Ports;
  readonly roberta: RobertaModel;
  readonly classifier: LinearLike;

  constructor(readonly config: RobertaConfig) {
    super();
    this.head = tokenClassification(config);
    this.roberta = this.child("roberta", new RobertaModel(config, false));
    this.inputs = this.roberta.inputs;
    this.classifier = this.child("classifier", bertLinear(config, config.hiddenSize, config.numLabels));
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { hidden, own } = this.roberta.encode(trace, inputs);
    return this.scoped(() => {
      const dropout = this.config.classifierDropout ?? this.config.hiddenDropoutProb;
      const logits = this.classifier.forward(trace, trace.dropout(ownTokens(hidden, own), dropout));
      return withLoss(this.head, { logits }, inputs);
    });
  }
}
