import {
  add,
  addDims,
  cast,
  type Dim,
  dimension,
  gather,
  initializer,
  less,
  multiplyDims,
  reshape,
  scalar,
  slice,
  sub,
  type Tensor,
  where,
  withScope,
} from "../graph/index.js";
import { arange } from "./arange.js";
import type { Trace } from "./trace.js";

/** How distances between tokens are told apart. */
export interface RelativeDistances {
  /** Half the rows of the table: row `span` is distance 0, what is further away than the table shows takes its last rows. */
  readonly span: number;
  /** The distance of the last row, where distances share rows the more the further they are. Default null: none share. */
  readonly logarithmicTo?: number | null;
}

/**
 * The bucket of a distance (He et al. 2021, DeBERTa-v2): near ones have their own, further ones share them by logarithm.
 * Computed in float32 as PyTorch does it, since a rounding of the logarithm moves a distance to the next bucket.
 */
function logarithmicBucket(distance: number, buckets: number, largest: number): number {
  const middle = Math.floor(buckets / 2);
  const magnitude = Math.abs(distance);
  if (magnitude <= middle) return distance;
  const logarithm = (x: number): number => Math.fround(Math.log(Math.fround(x)));
  const share = Math.fround(logarithm(magnitude / middle) / logarithm((largest - 1) / middle));
  return Math.sign(distance) * (Math.ceil(Math.fround(share * (middle - 1))) + middle);
}

const clamp = (x: number, least: number, most: number): number => Math.min(Math.max(x, least), most);

/** The row of a distance (query's position less key's), a whole number. */
export function relativeRow(distance: number, { span, logarithmicTo = null }: RelativeDistances): number {
  const bucket = logarithmicTo === null ? distance : logarithmicBucket(distance, span, logarithmicTo);
  return clamp(bucket + span, 0, 2 * span - 1);
}

/** x in [least, most], for int32 and numbers. */
const clamped = (x: Tensor, least: number, most: number): Tensor => {
  const raised = where(less(x, least), least, x);
  return where(less(raised, most), raised, most);
};

/** Rows of distances in a graph: int32 of the distances' shape. */
function rowsOf(distances: Tensor, how: RelativeDistances): Tensor {
  const { span, logarithmicTo = null } = how;
  if (logarithmicTo === null) return clamped(add(distances, span), 0, 2 * span - 1);
  let last = span;
  while (relativeRow(-last, how) > 0) last++;
  const data = Int32Array.from({ length: 2 * last + 1 }, (_, index) => relativeRow(index - last, how));
  const table = { dtype: "int32" as const, shape: [data.length], data };
  const constant = initializer(`constant:relative-rows:${span}:${logarithmicTo}`, table, {
    kind: "memory",
    data: table,
  });
  return gather(constant, add(clamped(distances, -last, last), last));
}

/**
 * Scores of each token at all distances, as scores of each token with each other token. Memory is moved, nothing gathered:
 * element (i, s - i + j) of [s, 2 s] lies in memory where a row of 2 s - 1 elements, begun at the s-th, has (i, j).
 * @param x float32 [batch, heads, s, 2 s]: in each row, the distances that `RelativePositions` gives
 * @returns [batch, heads, s, s]
 */
export function byToken(x: Tensor): Tensor {
  const [batch, heads, length, distances] = x.shape as [Dim, Dim, Dim, Dim];
  const all = multiplyDims(length, distances);
  const from = slice(reshape(x, [batch, heads, all]), 2, length, all);
  const row = addDims(distances, -1);
  return slice(reshape(from, [batch, heads, length, row]), 3, 0, length);
}

/** float32 [1, 2 s, features], a vector for each distance, in the order in which `byToken` reads scores. */
export interface RelativeVectors {
  /** What scores of queries (content to position) are made with: distances from s down to 1 - s. */
  readonly toKeys: Tensor;
  /** What scores of keys (position to content) are made with: distances from -s up to s - 1. */
  readonly toQueries: Tensor;
}

/** Vectors of the distances between the tokens of a sequence, for all layers of a forward pass. */
export class RelativePositions {
  private undropped: RelativeVectors | null = null;
  private readonly toKeys: Tensor;
  private readonly toQueries: Tensor;

  /**
   * @param table float32 [2 span, features]
   * @param length of the sequence
   * @param dropout probability of dropping an element of the table, anew for each layer
   */
  constructor(
    private readonly table: Tensor,
    how: RelativeDistances,
    length: Dim,
    private readonly dropout: number,
    private readonly scope: string,
  ) {
    const [toKeys, toQueries] = withScope(scope, () => {
      const size = dimension(length);
      const s = cast(typeof size === "number" ? scalar(size) : size, "int32");
      const distances = arange(multiplyDims(length, 2));
      return [rowsOf(sub(s, distances), how), rowsOf(sub(distances, s), how)] as const;
    });
    this.toKeys = toKeys;
    this.toQueries = toQueries;
  }

  /** For one layer. */
  vectors(trace: Trace): RelativeVectors {
    return withScope(this.scope, () => {
      const table = trace.dropout(this.table, this.dropout);
      if (table !== this.table) return this.picked(table);
      this.undropped ??= this.picked(table);
      return this.undropped;
    });
  }

  private picked(table: Tensor): RelativeVectors {
    const rows = (indices: Tensor) => {
      const [count, features] = [indices.shape[0], table.shape[1]] as [Dim, Dim];
      return reshape(gather(table, indices), [1, count, features]);
    };
    return { toKeys: rows(this.toKeys), toQueries: rows(this.toQueries) };
  }
}
