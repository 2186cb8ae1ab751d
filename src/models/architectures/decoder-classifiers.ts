import { cast, type Dim, equal, mul, reduceMax, reshape, scalar, sub, type Tensor } from "../../graph/index.js";
import { arange, type Linear, type LinearLike, ownTokens, type Trace } from "../../nn/index.js";
import { classification } from "../heads/classification.js";
import { type Head, withLoss } from "../heads/head.js";
import { tokenClassification } from "../heads/token-classification.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";
import { type Decoder, DecoderHead, lastPositions } from "./decoder.js";

/** A class for a text, told from its last token. */
export abstract class DecoderSequenceClassifier<D extends Decoder = Decoder> extends DecoderHead<D> {
  readonly head: Head;
  readonly score: LinearLike;
  override readonly inputs: Ports;

  constructor(name: string, decoder: D, score: Linear) {
    super(name, decoder);
    this.head = classification(decoder.config);
    this.score = this.child("score", score);
    this.inputs = decoder.config.padTokenId === null ? oneRow(decoder.inputs) : decoder.inputs;
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { hidden, own } = this.decoder.decode(trace, inputs);
    return this.scoped(() => {
      const last = lastToken(ownTokens(hidden, own), inputs.inputIds as Tensor, this.config.padTokenId);
      return withLoss(this.head, { logits: this.score.forward(trace, last) }, inputs);
    });
  }
}

/** A class for each token. */
export abstract class DecoderTokenClassifier<D extends Decoder = Decoder> extends DecoderHead<D> {
  readonly head: Head;
  readonly classifier: LinearLike;

  /**
   * @param classifierName "classifier", "score"
   * @param dropout before it
   */
  constructor(
    name: string,
    decoder: D,
    classifierName: string,
    classifier: Linear,
    private readonly dropout: number,
  ) {
    super(name, decoder);
    this.head = tokenClassification(decoder.config);
    this.classifier = this.child(classifierName, classifier);
  }

  forward(trace: Trace, inputs: NetworkInputs): NetworkOutputs {
    const { hidden, own } = this.decoder.decode(trace, inputs);
    return this.scoped(() => {
      const states = trace.dropout(ownTokens(hidden, own), this.dropout);
      return withLoss(this.head, { logits: this.classifier.forward(trace, states) }, inputs);
    });
  }
}

/** Inputs of one row: the end of a text could not be told from padding. */
function oneRow({ inputIds, ...others }: Ports): Ports {
  if (!inputIds) return others;
  const rows = {
    limit: 1,
    why: "pad_token_id is null, so that the ends of texts cannot be told from padding",
    hint: "Give the texts one at a time, or set pad_token_id in the model's config.json.",
  };
  return { inputIds: { ...inputIds, rows }, ...others };
}

/** The state of each text's last token that is no padding: [batch, sequence, features] as [batch, features]. */
function lastToken(hidden: Tensor, inputIds: Tensor, padTokenId: number | null): Tensor {
  const [batch, sequence, features] = hidden.shape as [Dim, Dim, Dim];
  if (padTokenId === null) return reshape(lastPositions(hidden, 1), [batch, features]);
  const isToken = sub(1, cast(equal(inputIds, scalar(padTokenId, "int32")), "int32"));
  const places = cast(reduceMax(cast(mul(isToken, arange(sequence)), "float32"), [1], true), "int32");
  return reshape(ownTokens(hidden, { places, length: 1, before: 0 }), [batch, features]);
}
