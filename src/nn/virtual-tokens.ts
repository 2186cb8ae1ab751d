import {
  add,
  addDims,
  cast,
  concat,
  type Dim,
  dimension,
  expand,
  gather,
  less,
  mul,
  multiplyDims,
  reduceMax,
  reshape,
  scalar,
  slice,
  sub,
  type Tensor,
  where,
} from "../graph/index.js";
import { arange } from "./arange.js";

/** Where a text's own tokens stand in a sequence that a tuning method has lengthened. */
export interface OwnTokens {
  /** A number: all moved on by so many. A tensor: int32 [batch, length]. */
  readonly places: number | Tensor;
  /** How many tokens were given. */
  readonly length: Dim;
  /** How many positions stand before the first of them. */
  readonly before: number;
}

/** Slices of each row: x [batch, n, ...] at indices int32 [batch, m] is [batch, m, ...]. */
function pickInRows(x: Tensor, indices: Tensor): Tensor {
  const [batch, length, ...rest] = x.shape as [Dim, Dim, ...Dim[]];
  const rows = mul(arange(batch), cast(asTensor(dimension(length)), "int32"));
  return gather(reshape(x, [multiplyDims(batch, length), ...rest]), add(indices, reshape(rows, [batch, 1])));
}

const asTensor = (operand: ReturnType<typeof dimension>): Tensor =>
  typeof operand === "number" ? scalar(operand) : operand;

/**
 * What a sequence holds of a text's own tokens: what heads read that say something of each token.
 * @param hidden float32 [batch, sequence, features]
 * @returns [batch, tokens that were given, features]
 */
export function ownTokens(hidden: Tensor, own: OwnTokens | null): Tensor {
  if (own === null || hidden.shape[1] === own.length) return hidden;
  const { places, length } = own;
  if (typeof places !== "number") return pickInRows(hidden, places);
  return slice(hidden, 1, places, addDims(places, length));
}

/**
 * What predicts a text's own tokens and what they predict: own tokens, and before them the last virtual one, where there
 * is one.
 * @returns [batch, tokens that were given, or one more, features]
 */
export function predictingTokens(hidden: Tensor, own: OwnTokens | null): Tensor {
  if (own === null || own.before === 0) return ownTokens(hidden, own);
  const { places, length, before } = own;
  if (typeof places === "number") return slice(hidden, 1, before - 1, addDims(places, length));
  return concat([slice(hidden, 1, before - 1, before), pickInRows(hidden, places)], 1);
}

/** Places among the positions of a sequence for vectors that no token has. */
export interface VirtualPlaces {
  /** Length of the sequence with them. */
  readonly total: Dim;
  /** @param hidden float32 [batch, sequence, features] @param vectors [prefix + infix, features] */
  insert(hidden: Tensor, vectors: Tensor): Tensor;
  /** @param hidden of a sequence in which the places are there already */
  replace(hidden: Tensor, vectors: Tensor): Tensor;
  /** @param ids int32 [batch, sequence] @param value at all of the places */
  spread(ids: Tensor, value: number): Tensor;
  /** Where own tokens go that stood where `own` says. */
  move(own: OwnTokens): OwnTokens;
}

export interface VirtualPlacesOptions {
  readonly prefix: number;
  readonly infix: number;
  /** How many positions stay before the prefix. Default 0. */
  readonly leading?: number;
  readonly batch: Dim;
  /** Length of the sequence without them. */
  readonly length: Dim;
  /** int32 [batch, length]: 0 is padding, and the infix stands after the last 1 of each row. null: no padding. */
  readonly mask: Tensor | null;
}

/** A prefix before a sequence's positions, and an infix after each row's last real token. */
export function virtualPlaces(options: VirtualPlacesOptions): VirtualPlaces {
  const { infix, mask } = options;
  return infix === 0 || mask === null ? fixedPlaces(options) : placesByMask(options, mask);
}

/** Places that are the same in every row. */
function fixedPlaces({ prefix, infix, leading = 0, batch, length }: VirtualPlacesOptions): VirtualPlaces {
  /** Positions of x between its leading ones and its end, with what stands at the places. */
  const join = (x: Tensor, restFrom: number, atPlaces: (from: number, to: number) => Tensor): Tensor => {
    const isWhole = restFrom === 0 && x.shape[1] === length;
    const rest = isWhole ? x : slice(x, 1, restFrom, addDims(length, restFrom - leading));
    return concat(
      [
        ...(leading > 0 ? [slice(x, 1, 0, leading)] : []),
        ...(prefix > 0 ? [atPlaces(0, prefix)] : []),
        rest,
        ...(infix > 0 ? [atPlaces(prefix, prefix + infix)] : []),
      ],
      1,
    );
  };
  const some = (vectors: Tensor) => (from: number, to: number) =>
    expand(slice(vectors, 0, from, to), [batch, to - from, vectors.shape[1] as Dim]);
  return {
    total: addDims(length, prefix + infix),
    insert: (hidden, vectors) => join(hidden, leading, some(vectors)),
    replace: (hidden, vectors) => join(hidden, leading + prefix, some(vectors)),
    spread: (ids, value) => join(ids, leading, (from, to) => expand(scalar(value, "int32"), [batch, to - from])),
    move: ({ places, length, before }) => ({
      places: typeof places === "number" ? places + prefix : add(places, prefix),
      length,
      before: before + prefix,
    }),
  };
}

/** Places that each row has where its padding begins. */
function placesByMask({ prefix, infix, batch, length }: VirtualPlacesOptions, mask: Tensor): VirtualPlaces {
  const count = prefix + infix;
  const total = addDims(length, count);
  const real = mul(mask, add(arange(length), 1));
  /** int32 [batch, 1]: how many positions there are up to the last real token. */
  const upTo = cast(reduceMax(cast(real, "float32"), [1], true), "int32");
  const at = expand(reshape(arange(total), [1, total]), [batch, total]);
  const inInfix = where(less(at, add(upTo, count)), sub(at, upTo), at);
  /** int32 [batch, total]: which vector stands there, and behind all of them, which token. */
  const which = where(less(at, prefix), at, where(less(at, add(upTo, prefix)), add(at, infix), inInfix));
  const isVirtual = less(which, count);
  const token = where(isVirtual, 0, sub(which, count));
  const vector = where(isVirtual, which, 0);
  const isVirtualVector = reshape(isVirtual, [batch, total, 1]);
  const put = (hidden: Tensor, vectors: Tensor) => where(isVirtualVector, gather(vectors, vector), hidden);
  return {
    total,
    insert: (hidden, vectors) => put(pickInRows(hidden, token), vectors),
    replace: put,
    spread: (ids, value) => where(isVirtual, value, pickInRows(ids, token)),
    move: ({ places, length: tokens, before }) => {
      const old = typeof places === "number" ? add(reshape(arange(tokens), [1, tokens]), places) : places;
      const moved = add(old, where(less(old, upTo), prefix, scalar(count, "int32")));
      return { places: expand(moved, [batch, tokens]), length: tokens, before: before + prefix };
    },
  };
}
