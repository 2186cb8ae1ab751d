import { cast, type Dim, less, mul, reshape, sub, type Tensor } from "../graph/index.js";
import { arange } from "./arange.js";
import { hiding } from "./attention-mask.js";
import { type LayerPast, Past } from "./stream.js";

/** Keys and values of earlier tokens that stand apart from the sequence's own, and what hides some of them. */
export interface EarlierTokens extends LayerPast {
  /** Added to the scores: float32 [batch, 1, 1, capacity]. */
  readonly bias: Tensor;
}

export interface CacheOptions {
  /** float32 [batch, heads, capacity, size] each; empty at the beginning of a text. */
  readonly layers?: readonly LayerPast[];
  /** int32 [batch, capacity]: 1 where a token was written that is seen. */
  readonly visible?: Tensor;
  /** int32 [1]: the query's place among the cache's; needed where layers have windows. */
  readonly place?: Tensor | null;
}

/**
 * Earlier tokens in a cache with room for more: what a layer makes of the sequence's own tokens is kept apart, so that a
 * step gives the new keys and values alone.
 */
export class Cache extends Past {
  private readonly visible: Tensor | null;
  private readonly place: Tensor | null;
  private readonly biases = new Map<number | null, Tensor>();

  constructor({ layers = [], visible, place = null }: CacheOptions = {}) {
    super(layers);
    this.visible = visible ?? null;
    this.place = place;
  }

  /** Keeps the sequence's own keys and values. @returns them alone */
  override extend(layer: number, own: LayerPast): LayerPast {
    this.keep(layer, own);
    return own;
  }

  override beside(layer: number, window: number | null): EarlierTokens | null {
    const earlier = this.layers[layer];
    return earlier ? { ...earlier, bias: this.bias(window) } : null;
  }

  private bias(window: number | null): Tensor {
    const known = this.biases.get(window);
    if (known) return known;
    const { visible, place } = this;
    if (!visible || (window !== null && !place)) throw new Error("a cache needs to know what is seen of it");
    const [batch, capacity] = visible.shape as [Dim, Dim];
    const written = cast(visible, "float32");
    const near = window === null ? null : cast(less(sub(place as Tensor, arange(capacity)), window), "float32");
    const bias = hiding(reshape(near ? mul(written, near) : written, [batch, 1, 1, capacity]));
    this.biases.set(window, bias);
    return bias;
  }
}
