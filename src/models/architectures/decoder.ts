import { GraftError } from "../../errors.js";
import {
  add,
  addDims,
  crossEntropy,
  type Dim,
  gather,
  mul,
  multiplyDims,
  reshape,
  slice,
  sub,
  type Tensor,
} from "../../graph/index.js";
import {
  AttentionMask,
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
import type { Head } from "../heads/head.js";
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
    segmentIds: { dtype: "int32", shape },
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

  /** What each token sees: those before it, of its own segment where rows are packed, padding aside. */
  protected maskOf({ segmentIds }: NetworkInputs, { attentionMask: padding, lengthened }: Embedded): AttentionMask {
    if (segmentIds && lengthened) {
      throw new GraftError(
        "unsupported",
        "packed rows with vectors that stand among their tokens (prompt tuning)",
        "Train such methods without packing.",
        { option: "packing" },
      );
    }
    return new AttentionMask({ padding, isCausal: true, segments: segmentIds ?? null, scope: this.path });
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
export abstract class DecoderHead<D extends Decoder> extends Network {
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
      const { labels, labelPlaces, labelSmoothing } = inputs;
      if (labels && labelPlaces)
        return this.atLabels(trace, ownTokens(hidden, own), { labels, labelPlaces, labelSmoothing });
      if (!labels) return { logits: this.lmHead.forward(trace, ownTokens(hidden, own)) };
      const all = this.lmHead.forward(trace, predictingTokens(hidden, own));
      const logits = all.shape[1] === labels.shape[1] ? all : lastPositions(all, labels.shape[1] as Dim);
      return { logits, loss: this.head.loss({ logits: all }, labels, labelSmoothing) };
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

  /**
   * What is said where a label counts, and there alone: most of the work and memory of a small model is its projection.
   * @param states float32 [batch, sequence, features]
   * @returns logits [1, labelled, vocabulary]
   */
  private atLabels(
    trace: Trace,
    states: Tensor,
    { labels, labelPlaces, labelSmoothing }: LabelledInputs,
  ): NetworkOutputs {
    const [batch, sequence, features] = states.shape as [Dim, Dim, Dim];
    const tokens = multiplyDims(batch, sequence);
    const count = labelPlaces.shape[0] as Dim;
    const before = gather(reshape(states, [tokens, features]), sub(labelPlaces, 1));
    const logits = this.lmHead.forward(trace, reshape(before, [1, count, features]));
    const counted = reshape(gather(reshape(labels, [tokens]), labelPlaces), [1, count]);
    return { logits, loss: crossEntropy(logits, counted, labelSmoothing ? { labelSmoothing } : {}) };
  }
}

/** Labels, where they count among [batch * sequence], and the share of the uniform distribution in what is learnt. */
interface LabelledInputs {
  readonly labels: Tensor;
  readonly labelPlaces: Tensor;
  readonly labelSmoothing: Tensor | undefined;
}

/** The last `count` positions: [batch, sequence, features] as [batch, count, features]. */
export function lastPositions(x: Tensor, count: Dim): Tensor {
  const length = x.shape[1] as Dim;
  return slice(x, 1, addDims(length, multiplyDims(count, -1)), length);
}
