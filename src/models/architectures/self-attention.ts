import type { Dim, Tensor } from "../../graph/index.js";
import {
  attend,
  joinHeads,
  type Linear,
  type LinearLike,
  Module,
  type Stream,
  splitHeads,
  type Trace,
  type TransformerLayer,
} from "../../nn/index.js";

export interface SelfAttentionOptions {
  readonly heads: number;
  /** Probability of dropping an attention weight in training. */
  readonly dropout: number;
  /** Makes a layer from hiddenSize to hiddenSize. */
  readonly projection: () => Linear;
}

/** The three layers of an attention, whatever they are called in the tree. */
export interface Projections {
  readonly query: LinearLike;
  readonly key: LinearLike;
  readonly value: LinearLike;
}

/**
 * Attention of a sequence to itself.
 * @param stream float32 [batch, sequence, hiddenSize], with the mask of its keys
 * @param layer whose site "keysValues" is called
 * @returns heads joined, before any output projection: [batch, sequence, hiddenSize]
 */
export function selfAttend(
  trace: Trace,
  stream: Stream,
  { index, sites }: TransformerLayer,
  projections: Projections,
  { heads, dropout }: Pick<SelfAttentionOptions, "heads" | "dropout">,
): Tensor {
  const project = (projection: LinearLike) => splitHeads(projection.forward(trace, stream.hidden), heads);
  const query = project(projections.query);
  const own = { keys: project(projections.key), values: project(projections.value) };
  const all = stream.past ? stream.past.extend(index, own) : own;
  const { keys, values, mask } = sites.apply("keysValues", trace, { ...all, mask: stream.mask, layer: index });
  const bias = mask.bias(query.shape[2] as Dim, keys.shape[2] as Dim);
  return joinHeads(attend(trace, query, keys, values, { bias, dropout }));
}

/** `selfAttend` with layers named `query`, `key` and `value`. */
export class SelfAttention extends Module implements Projections {
  readonly query: LinearLike;
  readonly key: LinearLike;
  readonly value: LinearLike;

  constructor(private readonly options: SelfAttentionOptions) {
    super();
    this.query = this.child("query", options.projection());
    this.key = this.child("key", options.projection());
    this.value = this.child("value", options.projection());
  }

  forward(trace: Trace, stream: Stream, layer: TransformerLayer): Tensor {
    return this.scoped(() => selfAttend(trace, stream, layer, this, this.options));
  }
}
