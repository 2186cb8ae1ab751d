import { concat, type Dim, type Tensor } from "../graph/index.js";
import type { AttentionMask } from "./attention-mask.js";
import type { RelativePositions } from "./relative-positions.js";
import type { OwnTokens } from "./virtual-tokens.js";

/** What a layer's attention remembers of earlier tokens: float32 [batch, heads, past, size] each. */
export interface LayerPast {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Keys and values of tokens that came before the sequence, layer by layer, and what they become with the sequence. */
export class Past {
  private readonly extended: LayerPast[] = [];

  /** @param layers of earlier tokens; empty at the beginning of a text */
  constructor(readonly layers: readonly LayerPast[] = []) {}

  /** How many earlier tokens there are. */
  get length(): Dim {
    return (this.layers[0]?.keys.shape[2] as Dim | undefined) ?? 0;
  }

  /** What the next tokens will call the past, once the forward pass is written. */
  get present(): readonly LayerPast[] {
    return this.extended;
  }

  /**
   * Earlier keys and values that attention reads beside those that `extend` gives; null where that gives all.
   * @param _window how far back the layer sees; null: to the beginning
   */
  beside(_layer: number, _window: number | null): (LayerPast & { readonly bias: Tensor }) | null {
    return null;
  }

  protected keep(layer: number, keysValues: LayerPast): void {
    this.extended[layer] = keysValues;
  }

  /** The layer's keys and values, earlier ones first, the sequence's own last. */
  extend(layer: number, { keys, values }: LayerPast): LayerPast {
    const earlier = this.layers[layer];
    const all = earlier
      ? { keys: concat([earlier.keys, keys], 2), values: concat([earlier.values, values], 2) }
      : { keys, values };
    this.keep(layer, all);
    return all;
  }
}

/** What flows from layer to layer: made once per forward pass, never changed. */
export class Stream {
  /** float32 [batch, sequence, features] */
  readonly hidden: Tensor;
  readonly mask: AttentionMask;
  /** int32 [batch, sequence] or [sequence], for models whose attention reads positions; null for the others. */
  readonly positions: Tensor | null;
  /** For models whose attention reads distances between tokens; null for the others. */
  readonly relative: RelativePositions | null;
  /** Null where earlier tokens are neither given nor kept. */
  readonly past: Past | null;
  /** Where the tokens that were given stand; null where the sequence holds them alone. */
  readonly own: OwnTokens | null;

  constructor({
    hidden,
    mask,
    positions = null,
    relative = null,
    past = null,
    own = null,
  }: {
    hidden: Tensor;
    mask: AttentionMask;
    positions?: Tensor | null;
    relative?: RelativePositions | null;
    past?: Past | null;
    own?: OwnTokens | null;
  }) {
    this.hidden = hidden;
    this.mask = mask;
    this.positions = positions;
    this.relative = relative;
    this.past = past;
    this.own = own;
  }

  /** The same stream with other hidden states. */
  with(hidden: Tensor): Stream {
    return new Stream({ ...this, hidden });
  }
}
