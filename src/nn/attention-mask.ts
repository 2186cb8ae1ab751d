import {
  add,
  addDims,
  cast,
  type Dim,
  equal,
  less,
  mul,
  multiplyDims,
  pad,
  reduceMax,
  reshape,
  slice,
  sub,
  type Tensor,
  withScope,
} from "../graph/index.js";
import { arange } from "./arange.js";

/** Added to the score of a position that must not be seen: the lowest float32, as transformers does it. */
const MASKED = -3.4028234663852886e38;

/** What hides keys from queries. Keys are [prefix, earlier tokens, the sequence]; queries are the last of them. */
export interface AttentionMaskOptions {
  /** int32 [batch, keys without the prefix]: 1 sees, 0 hides. Default null: there is no padding. */
  readonly padding?: Tensor | null;
  /** Whether a token sees none after itself. Default false. */
  readonly isCausal?: boolean;
  /** A token sees only tokens nearer than this, itself being at 0. Default null: however far. */
  readonly window?: number | null;
  /** int32 [batch, keys without the prefix]: a token sees only those of its own segment. Default null: one segment. */
  readonly segments?: Tensor | null;
  /** How many keys stand before all tokens and are seen by each of them (prefix tuning). Default 0. */
  readonly prefix?: number;
  /** Module path of the nodes that it writes, which belong to no single layer. Default "". */
  readonly scope?: string;
}

/** Which keys each query of a sequence sees. One object serves all layers of a forward pass. */
export class AttentionMask {
  readonly padding: Tensor | null;
  readonly isCausal: boolean;
  readonly window: number | null;
  readonly segments: Tensor | null;
  readonly prefix: number;
  private readonly written = new Map<string, Tensor | null>();
  private readonly products = new Map<string, Tensor | null>();
  private narrower: AttentionMask | undefined;
  private readonly longer = new Map<number, AttentionMask>();

  constructor(private readonly options: AttentionMaskOptions = {}) {
    this.padding = options.padding ?? null;
    this.isCausal = options.isCausal ?? false;
    this.window = options.window ?? null;
    this.segments = options.segments ?? null;
    this.prefix = options.prefix ?? 0;
  }

  /** This mask with `count` more keys before all others, seen by every query; one and the same for all layers. */
  withPrefix(count: number): AttentionMask {
    const known = this.longer.get(count);
    if (known) return known;
    const mask = new AttentionMask({ ...this.options, prefix: this.prefix + count });
    this.longer.set(count, mask);
    return mask;
  }

  /** This mask with a window on top; one and the same for all layers. */
  withWindow(window: number): AttentionMask {
    this.narrower ??= new AttentionMask({ ...this.options, window });
    return this.narrower;
  }

  /**
   * What is added to the scores, written once for one pair of counts.
   * @param keys all of them: prefix, earlier tokens and the sequence
   * @returns float32 that broadcasts to [batch, heads, queries, keys]: 0 or the lowest float; null where all is seen
   */
  bias(queries: Dim, keys: Dim): Tensor | null {
    const key = `${queries},${keys}`;
    let bias = this.written.get(key);
    if (bias === undefined) {
      bias = withScope(this.options.scope ?? "", () => this.write(queries, addDims(keys, -this.prefix)));
      this.written.set(key, bias);
    }
    return bias;
  }

  /**
   * Which queries see anything: padding on the left sees neither itself nor what follows it, and what its softmax would
   * weigh then means nothing.
   * @param keys as `bias` takes them
   * @returns float32 [batch, queries, 1]: 1 or 0; null where all see something
   */
  seeing(queries: Dim, keys: Dim): Tensor | null {
    const { padding, isCausal, prefix } = this;
    if (!padding || !isCausal || prefix > 0 || queries === 1) return null;
    const batch = padding.shape[0] as Dim;
    return withScope(this.options.scope ?? "", () =>
      reshape(reduceMax(this.product(queries, keys) as Tensor, [-1]), [batch, queries, 1]),
    );
  }

  /** @param keys without the prefix */
  private write(queries: Dim, keys: Dim): Tensor | null {
    const product = this.product(queries, keys);
    const bias = product ? hiding(product) : this.padding && paddingBias(this.padding);
    // What is added for a prefix is 0: it is seen.
    return bias && this.prefix > 0 ? pad(bias, -1, this.prefix, 0) : bias;
  }

  /** What is seen by all conditions and padding, written once for one pair of counts; null: padding is all there is. */
  private product(queries: Dim, keys: Dim): Tensor | null {
    const key = `${queries},${keys}`;
    let product = this.products.get(key);
    if (product === undefined) {
      const seen = this.seen(queries, keys);
      product = seen.length > 0 ? this.withPadding(seen) : null;
      this.products.set(key, product);
    }
    return product;
  }

  /** What each query sees beside padding: float32 1 or 0, [1 or batch, 1, queries, keys] each. */
  private seen(queries: Dim, keys: Dim): Tensor[] {
    const conditions: Tensor[] = [];
    // The last token sees all that there is.
    const hidesFuture = this.isCausal && queries !== 1;
    if (hidesFuture || this.window !== null) {
      const { query, key } = positions(queries, keys);
      if (hidesFuture) conditions.push(less(key, add(query, 1)));
      if (this.window !== null) conditions.push(less(sub(query, key), this.window));
      if (this.window !== null && !this.isCausal) conditions.push(less(sub(key, query), this.window));
    }
    if (this.segments) {
      const batch = this.segments.shape[0] as Dim;
      const own = reshape(lastOf(this.segments, 1, queries), [batch, 1, queries, 1]);
      conditions.push(equal(own, reshape(this.segments, [batch, 1, 1, keys])));
    }
    return conditions.map((condition) => cast(condition, "float32"));
  }

  /** A product of what is seen, not a sum of biases: twice the lowest float is minus infinity, and a row of it NaN. */
  private withPadding(seen: readonly Tensor[]): Tensor {
    const product = seen.reduce((all, one) => mul(all, one));
    if (!this.padding) return product;
    const [batch, keys] = this.padding.shape as [Dim, Dim];
    return mul(product, reshape(cast(this.padding, "float32"), [batch, 1, 1, keys]));
  }
}

/** What is added to the scores: 0 where something is seen (1), the lowest float where not (0). */
export const hiding = (seen: Tensor): Tensor => mul(sub(1, seen), MASKED);

function paddingBias(padding: Tensor): Tensor {
  const [batch, keys] = padding.shape as [Dim, Dim];
  return reshape(hiding(cast(padding, "float32")), [batch, 1, 1, keys]);
}
/** The last `count` elements along an axis. */
function lastOf(x: Tensor, axis: number, count: Dim): Tensor {
  const size = x.shape[axis] as Dim;
  return size === count ? x : slice(x, axis, addDims(size, multiplyDims(count, -1)), size);
}

/** Positions of queries and keys: int32 [1, 1, queries, 1] and [1, 1, 1, keys]. */
function positions(queries: Dim, keys: Dim): { query: Tensor; key: Tensor } {
  const all = arange(keys);
  return {
    query: reshape(lastOf(all, 0, queries), [1, 1, queries, 1]),
    key: reshape(all, [1, 1, 1, keys]),
  };
}
