import {
  add,
  cast,
  type Dim,
  matMul,
  mul,
  multiplyDims,
  reshape,
  softmax,
  sub,
  type Tensor,
  transpose,
} from "../graph/index.js";
import type { Trace } from "./trace.js";

/** Added to the score of a position that must not be seen: the lowest float32, as transformers does it. */
const MASKED = -3.4028234663852886e38;

/** [batch, sequence, heads * size] as [batch, heads, sequence, size]. */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, sequence, width] = x.shape as [Dim, Dim, number];
  return transpose(reshape(x, [batch, sequence, heads, width / heads]), [0, 2, 1, 3]);
}

/** [batch, heads, sequence, size] as [batch, sequence, heads * size]. */
function joinHeads(x: Tensor): Tensor {
  const [batch, heads, sequence, size] = x.shape as [Dim, Dim, Dim, Dim];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, sequence, multiplyDims(heads, size)]);
}

/**
 * What is added to the scores for a padding mask.
 * @param mask int32 [batch, sequence]: 1 sees, 0 hides
 * @returns float32 [batch, 1, 1, sequence]: 0 or the lowest float
 */
export function paddingBias(mask: Tensor): Tensor {
  const [batch, sequence] = mask.shape as [Dim, Dim];
  return reshape(mul(sub(1, cast(mask, "float32")), MASKED), [batch, 1, 1, sequence]);
}

export interface AttentionOptions {
  readonly heads: number;
  /** Added to the scaled scores; broadcasts to [batch, heads, sequence, sequence]. */
  readonly bias: Tensor | null;
  /** Probability of dropping an attention weight in training. */
  readonly dropout: number;
}

/**
 * softmax(Q K^T / sqrt(headSize) + bias) V for every head (Vaswani et al. 2017, section 3.2).
 * @param query float32 [batch, sequence, heads * headSize]; key and value likewise
 * @returns the same shape as query
 */
export function attend(
  trace: Trace,
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { heads, bias, dropout }: AttentionOptions,
): Tensor {
  const [q, k, v] = [query, key, value].map((x) => splitHeads(x, heads)) as [Tensor, Tensor, Tensor];
  const alpha = 1 / Math.sqrt(q.shape[3] as number);
  const scores = matMul(q, k, { transposeB: true, alpha });
  const probabilities = softmax(bias ? add(scores, bias) : scores, -1);
  return joinHeads(matMul(trace.dropout(probabilities, dropout), v));
}
