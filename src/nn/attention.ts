import {
  add,
  addDims,
  concat,
  type Dim,
  expand,
  matMul,
  multiplyDims,
  reshape,
  slice,
  softmax,
  type Tensor,
  transpose,
} from "../graph/index.js";
import type { Trace } from "./trace.js";

/** [batch, sequence, heads * size] as [batch, heads, sequence, size]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, sequence, width] = x.shape as [Dim, Dim, number];
  return transpose(reshape(x, [batch, sequence, heads, width / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, sequence, size] as [batch, sequence, heads * size]. */
export function joinHeads(x: Tensor): Tensor {
  const [batch, heads, sequence, size] = x.shape as [Dim, Dim, Dim, Dim];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, sequence, multiplyDims(heads, size)]);
}

/**
 * Keys or values of grouped heads (Ainslie et al. 2023), each repeated for the query heads that share it.
 * @param x float32 [batch, groups, keys, size]
 * @param heads a multiple of groups
 * @returns [batch, heads, keys, size]; x itself where every head has its own
 */
export function repeatHeads(x: Tensor, heads: number): Tensor {
  const [batch, groups, keys, size] = x.shape as [Dim, number, Dim, Dim];
  if (groups === heads) return x;
  const repeated = expand(reshape(x, [batch, groups, 1, keys, size]), [batch, groups, heads / groups, keys, size]);
  return reshape(repeated, [batch, heads, keys, size]);
}

/**
 * alpha Q K^T, what a softmax will weigh.
 * @param query float32 [batch, heads, queries, size]
 * @param key float32 [batch, heads, keys, size]
 * @param alpha default 1 / sqrt(size)
 * @returns [batch, heads, queries, keys]
 */
export function scores(query: Tensor, key: Tensor, alpha = 1 / Math.sqrt(query.shape[3] as number)): Tensor {
  return matMul(query, key, { transposeB: true, alpha });
}

/**
 * softmax(scores) V, dropping weights in training.
 * @param scores float32 [batch, heads, queries, keys], biases added
 * @param value float32 [batch, heads, keys, size]
 * @param dropout probability of dropping an attention weight
 * @returns [batch, heads, queries, size]
 */
export function weigh(trace: Trace, scores: Tensor, value: Tensor, dropout: number): Tensor {
  return matMul(trace.dropout(softmax(scores, -1), dropout), value);
}

/** Keys and values of one part of what a query sees, and what hides some of them. */
interface Part {
  /** float32 [batch, groups, keys, size]; values likewise */
  readonly keys: Tensor;
  readonly values: Tensor;
  /** Broadcasts to [batch, groups, heads / groups, keys]; null where all are seen. */
  readonly bias: Tensor | null;
}

/**
 * Attention of one query to keys that lie in two places, as if they lay in one: nothing is copied but the scores. Grouped
 * heads are rows of one product, so that no key is repeated.
 * @param query float32 [batch, heads, 1, size]
 * @param alpha factor on the scores; default 1 / sqrt(size)
 * @returns the same shape
 */
export function attendTwo(query: Tensor, first: Part, second: Part, alpha?: number): Tensor {
  const [batch, heads, , size] = query.shape as [Dim, number, Dim, number];
  const groups = first.keys.shape[1] as number;
  const rows = reshape(query, [batch, groups, heads / groups, size]);
  const scored = [first, second].map(({ keys, bias }) => {
    const scaled = scores(rows, keys, alpha);
    return bias ? add(scaled, bias) : scaled;
  }) as [Tensor, Tensor];
  const counts = [first.keys.shape[2] as Dim, second.keys.shape[2] as Dim] as const;
  const weights = softmax(concat(scored, 3), 3);
  const together = add(
    matMul(slice(weights, 3, 0, counts[0]), first.values),
    matMul(slice(weights, 3, counts[0], addDims(...counts)), second.values),
  );
  return reshape(together, query.shape);
}

export interface AttentionOptions {
  /** Added to the scaled scores; broadcasts to [batch, heads, queries, keys]. Null where every key is seen. */
  readonly bias: Tensor | null;
  /** Probability of dropping an attention weight in training. */
  readonly dropout: number;
  /** Factor on the scores. Default 1 / sqrt(size). */
  readonly alpha?: number | undefined;
}

/**
 * softmax(Q K^T / sqrt(size) + bias) V for every head (Vaswani et al. 2017, section 3.2).
 * @param query float32 [batch, heads, queries, size]
 * @param key float32 [batch, heads, keys, size], or as many heads as divide the query's; value likewise
 * @returns the same shape as query
 */
export function attend(
  trace: Trace,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { bias, dropout, alpha }: AttentionOptions,
): Tensor {
  const heads = query.shape[1] as number;
  const scaled = scores(query, repeatHeads(key, heads), alpha);
  return weigh(trace, bias ? add(scaled, bias) : scaled, repeatHeads(value, heads), dropout);
}
