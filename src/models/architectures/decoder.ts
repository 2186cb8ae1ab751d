import {
  add,
  addDims,
  cast,
  type Dim,
  equal,
  mul,
  multiplyDims,
  reduceMax,
  reshape,
  scalar,
  slice,
  sub,
  type Tensor,
} from "../../graph/index.js";
import {
  arange,
  attend,
  attendTwo,
  type Cache,
  type Embedded,
  joinHeads,
  type LayerPast,
  type Linear,
  type LinearLike,
  ownTokens,
  type Past,
  predictingTokens,
  type Stream,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";
import type { ModelConfig } from "../config.js";
import { causalLM } from "../heads/causal-lm.js";
import { classification } from "../heads/classification.js";
import { type Head, withLoss } from "../heads/head.js";
import { tokenClassification } from "../heads/token-classification.js";
import { Network } from "../network.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";

/** What the networks around a decoder know of it. */
export interface DecoderConfig extends ModelConfig {
  readonly vocabSize: number;
  /** null: there is no padding token, so that the ends of texts in a batch cannot be told. */
  readonly padTokenId: number | null;
  /** The longest text. */
  readonly maxPositionEmbeddings: number;
  /** Heads of keys and values. */
  readonly numKeyValueHeads: number;
  /** Features of a head. */
  readonly headDim: number;
  /** How far back each layer sees; null: to the beginning. */
  readonly windows: readonly (number | null)[];
  /** Whether the projection on the vocabulary is the table of embeddings. */
  readonly tieWordEmbeddings: boolean;
}

/** What a decoder reads. */
export function decoderInputs({ vocabSize, maxPositionEmbeddings: longest }: DecoderConfig): Ports {
  const shape = ["batch", "sequence"];
  const why = `max_position_embeddings ${longest}`;
  return {
    inputIds: {
      dtype: "int32",
      shape,
      required: true,
      below: { limit: vocabSize, why: "vocab_size" },
      longest: { limit: longest, why },
    },
    attentionMask: { dtype: "int32", shape, below: { limit: 2, why: "1 sees, 0 hides" } },
    positionIds: { dtype: "int32", shape, below: { limit: longest, why } },
  };
}

/** A stack of layers of which each token sees those before it alone, without a head. */
export abstract class Decoder extends Network {
  abstract override readonly config: DecoderConfig;
  readonly head = null;
  /** The table of token vectors. */
  abstract readonly wordEmbeddings: { readonly weight: Linear["weight"] };

  /** What the last layer gives, normalised. @param past of earlier tokens, and what becomes of it */
  abstract decode(trace: Trace, inputs: NetworkInputs, past?: Past | null): Stream;

  forward(trace: Trace, inputs: NetworkInputs): { lastHiddenState: Tensor } {
    return { lastHiddenState: this.decode(trace, inputs).hidden };
  }

  /**
   * Positions of a sequence: int32 [sequence] or [batch, sequence]. They are counted from 0, padding included, unless they
   * are given; where vectors without ids stand among the tokens, given ones are passed over, as in PEFT.
   */
  protected positions({ positionIds }: NetworkInputs, { hidden, lengthened }: Embedded): Tensor {
    const ids = positionIds && !lengthened ? positionIds : arange(hidden.shape[1] as Dim);
    return this.prefixLength > 0 ? add(ids, this.prefixLength) : ids;
  }
}

/** Queries, and the keys and values of the sequence's own tokens: float32 [batch, heads, sequence, size] each. */
export interface Projected extends LayerPast {
  readonly query: Tensor;
}

/**
 * Attention of a sequence to itself and to what came before it.
 * @param dropout probability of dropping an attention weight in training
 * @param alpha factor on the scores; default 1 / sqrt(size)
 * @returns float32 [batch, sequence, heads * size]; zeros for a query that sees nothing, as PyTorch's attention has it
 */
export function decoderAttention(
  trace: Trace,
  stream: Stream,
  { index, sites }: TransformerLayer,
  { query, ...own }: Projected,
  { dropout, alpha }: { readonly dropout: number; readonly alpha?: number },
): Tensor {
  const { past } = stream;
  const all = past ? past.extend(index, own) : own;
  const { keys, values, mask } = sites.apply("keysValues", trace, { ...all, mask: stream.mask, layer: index });
  const counts = [query.shape[2] as Dim, keys.shape[2] as Dim] as const;
  const bias = mask.bias(...counts);
  const earlier = past?.beside(index, mask.window) ?? null;
  if (earlier) return joinHeads(attendTwo(query, earlier, { keys, values, bias }, alpha));
  const attended = joinHeads(attend(trace, query, keys, values, { bias, dropout, alpha }));
  const seeing = mask.seeing(...counts);
  return seeing ? mul(attended, seeing) : attended;
}

/** A decoder below a head. */
abstract class DecoderHead<D extends Decoder> extends Network {
  readonly inputs: Ports;

  /** @param name of the decoder in the tree ("transformer", "model") */
  constructor(
    name: string,
    protected readonly decoder: D,
  ) {
    super();
    this.child(name, decoder);
    this.inputs = decoder.inputs;
  }

  get config(): D["config"] {
    return this.decoder.config;
  }
}

/** What one pass of generation writes. */
export interface NextToken {
  /** Of the last position: float32 [batch, vocabSize]. */
  readonly logits: Tensor;
  /** What each layer made of the tokens read, for a cache: float32 [batch, heads, tokens, size] each. */
  readonly written: readonly LayerPast[];
}

/** A projection on the vocabulary: what token comes next. */
export abstract class CausalLM<D extends Decoder = Decoder> extends DecoderHead<D> {
  readonly head: Head;
  readonly lmHead: LinearLike;

  /** @param project makes the projection; `tied` is the table to read, or null */
  constructor(name: string, decoder: D, project: (tied: Linear["weight"] | null) => Linear) {
    super(name, decoder);
    this.head = causalLM(decoder.config);
    const { tieWordEmbeddings } = decoder.config;
    this.lmHead = this.child("lm_head", project(tieWordEmbeddings ? decoder.wordEmbeddings.weight : null));
  }

  /** @param past of earlier tokens, which positions and mask then count, and what becomes of it */
  forward(trace: Trace, inputs: NetworkInputs, past: Past | null = null): NetworkOutputs {
    const { hidden, own } = this.decoder.decode(trace, inputs, past);
    return this.scoped(() => {
      const { labels } = inputs;
      if (!labels) return { logits: this.lmHead.forward(trace, ownTokens(hidden, own)) };
      const all = this.lmHead.forward(trace, predictingTokens(hidden, own));
      const logits = all.shape[1] === labels.shape[1] ? all : lastPositions(all, labels.shape[1] as Dim);
      return { logits, loss: this.head.loss({ logits: all }, labels) };
    });
  }

  /** Writes a pass of generation: what follows the last position, and what is to be kept of the tokens read. */
  next(trace: Trace, inputs: NetworkInputs, cache: Cache): NextToken {
    trace.continues = cache.layers.length > 0;
    const { hidden } = this.decoder.decode(trace, inputs, cache);
    return this.scoped(() => {
      const [batch, , features] = hidden.shape as [Dim, Dim, Dim];
      const last = reshape(lastPositions(hidden, 1), [batch, features]);
      return { logits: this.lmHead.forward(trace, last), written: cache.present };
    });
  }
}

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

/** The last `count` positions: [batch, sequence, features] as [batch, count, features]. */
export function lastPositions(x: Tensor, count: Dim): Tensor {
  const length = x.shape[1] as Dim;
  return slice(x, 1, addDims(length, multiplyDims(count, -1)), length);
}

/** The state of each text's last token that is no padding: [batch, sequence, features] as [batch, features]. */
function lastToken(hidden: Tensor, inputIds: Tensor, padTokenId: number | null): Tensor {
  const [batch, sequence, features] = hidden.shape as [Dim, Dim, Dim];
  if (padTokenId === null) return reshape(lastPositions(hidden, 1), [batch, features]);
  const isToken = sub(1, cast(equal(inputIds, scalar(padTokenId, "int32")), "int32"));
  const places = cast(reduceMax(cast(mul(isToken, arange(sequence)), "float32"), [1], true), "int32");
  return reshape(ownTokens(hidden, { places, length: 1, before: 0 }), [batch, features]);
}
