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

/** Attention of a sequence to itself, with the layers `query`, `key` and `value`. */
export class SelfAttention extends Module {
  readonly query: LinearLike;
  readonly key: LinearLike;
  readonly value: LinearLike;

  constructor(private readonly options: SelfAttentionOptions) {
    super();
    this.query = this.child("query", options.projection());
    this.key = this.child("key", options.projection());
    this.value = this.child("value", options.projection());
  }

  /**
   * @param stream float32 [batch, sequence, hiddenSize], with the mask of its keys
   * @param layer whose site "keysValues" is called
   * @returns hidden states of the same shape
   */
  forward(trace: Trace, stream: Stream, { index, sites }: TransformerLayer): Tensor {
    return this.scoped(() => {
      const { heads, dropout } = this.options;
      const project = (projection: LinearLike) => splitHeads(projection.forward(trace, stream.hidden), heads);
      const query = project(this.query);
      const own = { keys: project(this.key), values: project(this.value) };
      const all = stream.past ? stream.past.extend(index, own) : own;
      const { keys, values, mask } = sites.apply("keysValues", trace, { ...all, mask: stream.mask, layer: index });
      const bias = mask.bias(query.shape[2] as Dim, keys.shape[2] as Dim);
      return joinHeads(attend(trace, query, keys, values, { bias, dropout }));
    });
  }
}
