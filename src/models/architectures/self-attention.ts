import type { Tensor } from "../../graph/index.js";
import { attend, type Linear, type LinearLike, Module, type Trace } from "../../nn/index.js";

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
   * @param x float32 [batch, sequence, hiddenSize]
   * @param bias added to the scores (see `attend`); null where every position is seen
   * @returns the same shape as x
   */
  forward(trace: Trace, x: Tensor, bias: Tensor | null): Tensor {
    return this.scoped(() => {
      const { heads, dropout } = this.options;
      const [query, key, value] = [this.query, this.key, this.value].map((layer) => layer.forward(trace, x));
      return attend(trace, query as Tensor, key as Tensor, value as Tensor, { heads, bias, dropout });
    });
  }
}
