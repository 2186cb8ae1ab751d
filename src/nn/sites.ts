import { concat, type Dim, expand, type Tensor } from "../graph/index.js";
import type { AttentionMask } from "./attention-mask.js";
import type { Stream } from "./stream.js";
import type { Trace } from "./trace.js";
import { type OwnTokens, type VirtualPlaces, type VirtualPlacesOptions, virtualPlaces } from "./virtual-tokens.js";

/** Vectors on their way into the first layer. */
export interface Embedded {
  /**
   * float32 [batch, sequence, features]. Text: word vectors, before positions, token types and LayerNorm are added to
   * them. Images: class token and patches, positions added.
   */
  readonly hidden: Tensor;
  /** int32 [batch, sequence]; null where everything is seen. */
  readonly attentionMask: Tensor | null;
  /** int32 [batch, sequence]; null where all are of type 0. */
  readonly tokenTypeIds: Tensor | null;
  /** int32 [batch, sequence as it was given]; null for images. */
  readonly inputIds: Tensor | null;
  /** Whether `hidden` is no longer one vector per id: positions are then counted over all of it, padding included. */
  readonly lengthened: boolean;
  /** Where the tokens that were given stand among the vectors. Default null: the vectors are theirs alone. */
  readonly own?: OwnTokens | null;
}

/** Keys and values of one layer's attention, heads apart, as they meet the queries. */
export interface KeysValues {
  /** float32 [batch, heads, keys, size] */
  readonly keys: Tensor;
  /** float32 [batch, heads, keys, size] */
  readonly values: Tensor;
  /** Of these keys: whoever prepends some prepends a prefix to it. */
  readonly mask: AttentionMask;
  /** Index of the layer. */
  readonly layer: number;
}

/** The end of one half of a layer, before the residual is added. Of what comes back, `output` counts. */
export interface HalfOutput {
  /** What entered this half; its hidden states in models that normalise first are those before the LayerNorm. */
  readonly stream: Stream;
  /** float32 [batch, sequence, features], after projection and dropout */
  readonly output: Tensor;
  /** What will be added to the output, of its shape. */
  readonly residual: Tensor;
  /** The LayerNorm that follows the sum; null in models that normalise before each half. */
  readonly norm: ((x: Tensor) => Tensor) | null;
}

/** What each site hands to a transform and takes back. */
export interface SiteValues {
  readonly embeddings: Embedded;
  readonly layerInput: Stream;
  readonly keysValues: KeysValues;
  readonly attentionOutput: HalfOutput;
  readonly feedForwardOutput: HalfOutput;
  readonly layerOutput: Stream;
}

export type SiteName = keyof SiteValues;

/** Sites of a layer; "embeddings" is the only one outside. */
export const layerSites = [
  "layerInput",
  "keysValues",
  "attentionOutput",
  "feedForwardOutput",
  "layerOutput",
] as const satisfies readonly SiteName[];

/** What a tuning method puts at a site. */
export interface Attachment<S extends SiteName> {
  /** Whether it writes anything now. */
  readonly isActing: boolean;
  /** Says all that the nodes it writes depend on, names of parameters included: programs are told apart by it. */
  readonly signature: string;
  /** How many positions it puts before the sequence's own: tokens at `embeddings`, keys at `keysValues`. Default 0. */
  readonly addedPositions?: number;
  /** Whether it acts where a text begins alone, and not on what continues it. Default false. */
  readonly isAtBeginning?: boolean;
  transform(trace: Trace, value: SiteValues[S]): SiteValues[S];
}

/** One act of attaching: the same attachment may be attached twice. */
interface Entry<S extends SiteName> {
  readonly attachment: Attachment<S>;
}

type Entries = { readonly [S in SiteName]: Entry<S>[] };

/** The places of a module at which tuning methods may change what flows by. Where nothing acts, nothing is written. */
export class Sites {
  private readonly attached: Entries = {
    embeddings: [],
    layerInput: [],
    keysValues: [],
    attentionOutput: [],
    feedForwardOutput: [],
    layerOutput: [],
  };

  /** @returns a function that takes the attachment away again */
  attach<S extends SiteName>(site: S, attachment: Attachment<S>): () => void {
    const entries: Entry<S>[] = this.attached[site];
    const entry = { attachment };
    entries.push(entry);
    return () => {
      const position = entries.indexOf(entry);
      if (position >= 0) entries.splice(position, 1);
    };
  }

  /** What becomes of the value under all acting attachments, in the order in which they were attached. */
  apply<S extends SiteName>(site: S, trace: Trace, value: SiteValues[S]): SiteValues[S] {
    const entries: readonly Entry<S>[] = this.attached[site];
    const acting = entries.filter(
      ({ attachment }) => attachment.isActing && !(trace.continues && attachment.isAtBeginning),
    );
    return acting.reduce((now, { attachment }) => attachment.transform(trace, now), value);
  }

  /** What the acting attachments mean for the graph; "" where none acts. */
  signature(): string {
    return this.acting()
      .map(([site, { signature }]) => `${site}:${signature}`)
      .join(";");
  }

  /** How many positions the acting attachments put before the sequence's own. */
  get virtualTokens(): number {
    return this.acting().reduce((sum, [, { addedPositions = 0 }]) => sum + addedPositions, 0);
  }

  private acting(): [site: string, attachment: Omit<Attachment<SiteName>, "transform">][] {
    return Object.entries(this.attached).flatMap(([site, entries]) =>
      entries
        .filter(({ attachment }) => attachment.isActing)
        .map(({ attachment }): [string, typeof attachment] => [site, attachment]),
    );
  }
}

/** A layer as tuning methods know it. */
export interface TransformerLayer {
  /** Its place in the stack, from 0. */
  readonly index: number;
  readonly sites: Sites;
}

/** Where a prefix and an infix go among embedded vectors. */
export function placesIn(
  { hidden, attentionMask }: Embedded,
  counts: Pick<VirtualPlacesOptions, "prefix" | "infix" | "leading">,
): VirtualPlaces {
  const [batch, length] = hidden.shape as [Dim, Dim];
  return virtualPlaces({ ...counts, batch, length, mask: attentionMask });
}

/**
 * Vectors at virtual places: seen by every token, of type 0.
 * @param vectors float32 [places, features]
 */
export function insertTokens(embedded: Embedded, places: VirtualPlaces, vectors: Tensor): Embedded {
  const { hidden, attentionMask, tokenTypeIds, own } = embedded;
  return {
    ...embedded,
    hidden: places.insert(hidden, vectors),
    attentionMask: attentionMask && places.spread(attentionMask, 1),
    tokenTypeIds: tokenTypeIds && places.spread(tokenTypeIds, 0),
    lengthened: true,
    own: places.move(own ?? { places: 0, length: hidden.shape[1] as Dim, before: 0 }),
  };
}

/**
 * Tokens before all others, as PEFT's prompt tuning has them: seen by every token, of type 0.
 * @param vectors float32 [tokens, features]
 */
export function prependTokens(embedded: Embedded, vectors: Tensor): Embedded {
  const prefix = vectors.shape[0] as number;
  return insertTokens(embedded, placesIn(embedded, { prefix, infix: 0 }), vectors);
}

/**
 * Keys and values before all others, as PEFT's prefix tuning has them: seen by every token.
 * @param keys float32 [heads, prefix, size], or [batch, heads, prefix, size]; values likewise
 */
export function prependKeysValues(before: KeysValues, keys: Tensor, values: Tensor): KeysValues {
  const [batch, heads, , size] = before.keys.shape as [Dim, Dim, Dim, Dim];
  const prefix = keys.shape.at(-2) as number;
  const join = (first: Tensor, rest: Tensor) => concat([expand(first, [batch, heads, prefix, size]), rest], 2);
  return {
    ...before,
    keys: join(keys, before.keys),
    values: join(values, before.values),
    mask: before.mask.withPrefix(prefix),
  };
}
