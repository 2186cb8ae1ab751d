import { GraftError } from "./errors.js";

/**
 * Counter-based random numbers: every draw is a pure function of (key, position).
 *
 * Nothing is carried from draw to draw except the position, so a mask, a shuffle or a crop can be made again from its
 * key alone (seed, epoch, step, site, ...). That is what lets a run be resumed bit for bit.
 */

/** Odd constant nearest to 2^32 / golden ratio: the step between the inputs of neighbouring words. */
const WEYL_STEP = 0x9e3779b9 | 0;
const MULTIPLIER_A = 0x7feb352d;
const MULTIPLIER_B = 0x846ca68b | 0;
const TWO_POW_32 = 4294967296;

/** An avalanche on 32 bits: each input bit flips each output bit with a probability close to one half. */
function avalanche(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), MULTIPLIER_A);
  x = Math.imul(x ^ (x >>> 15), MULTIPLIER_B);
  return x ^ (x >>> 16);
}

interface FoldedKey {
  /** Where the Weyl sequence starts. */
  readonly offset: number;
  /** Mixed in between the two multiplications, so that two keys are never the same sequence shifted. */
  readonly inner: number;
}

/** Folds a list of integers, in order, to two 32-bit words; [1, 2], [2, 1] and [1, 2, 0] all differ. */
function foldKey(key: readonly number[]): FoldedKey {
  let offset = avalanche(key.length ^ 0x243f6a88);
  let inner = avalanche(key.length ^ 0x13198a2e);
  for (const part of key) {
    if (!Number.isSafeInteger(part)) {
      throw new GraftError(
        "invalid-argument",
        `A random key holds ${String(part)}, which is not an integer (key: [${key.join(", ")}]).`,
        "Use integers such as the seed, the epoch and the row number.",
      );
    }
    const low = part | 0;
    const high = Math.floor(part / TWO_POW_32) | 0;
    offset = avalanche(Math.imul(offset, 0x85ebca6b) + (low ^ avalanche(high ^ 0x5bd1e995)));
    inner = avalanche((Math.imul(inner, 0xc2b2ae35) ^ avalanche(low ^ 0x27d4eb2f)) + high);
  }
  return { offset, inner };
}

/** The 32-bit word (signed) at a Weyl position under a folded key. */
function wordAt(weyl: number, inner: number): number {
  let x = weyl;
  x = Math.imul(x ^ (x >>> 16), MULTIPLIER_A);
  x = Math.imul(x ^ (x >>> 15) ^ inner, MULTIPLIER_B);
  return x ^ (x >>> 16);
}

/**
 * A stream of random numbers fixed by its key.
 *
 * @example new CounterRng([seed, epoch]).permutation(rows)
 */
export class CounterRng {
  private readonly offset: number;
  private readonly inner: number;
  private position = 0;
  private spareNormal: number | undefined;

  /** @param key integers that name the stream, e.g. [seed, epoch, row]. */
  constructor(key: readonly number[]) {
    const folded = foldKey(key);
    this.offset = folded.offset;
    this.inner = folded.inner;
  }

  /** The next 32-bit word, 0 <= word < 2^32. */
  nextWord(): number {
    const position = this.position++;
    // A stream longer than 2^32 words continues under another inner key instead of repeating.
    const lap = Math.floor(position / TWO_POW_32);
    const inner = lap === 0 ? this.inner : avalanche(this.inner + lap);
    return wordAt((this.offset + Math.imul(position | 0, WEYL_STEP)) | 0, inner) >>> 0;
  }

  /** Uniform in [low, high), with 53 random bits. Default [0, 1). */
  uniform(low = 0, high = 1): number {
    const upper = this.nextWord() >>> 5;
    const lower = this.nextWord() >>> 6;
    return low + ((high - low) * (upper * 67108864 + lower)) / 9007199254740992;
  }

  /** Normal with the given mean and standard deviation (Box-Muller; draws are made in pairs). */
  normal(mean = 0, standardDeviation = 1): number {
    let draw = this.spareNormal;
    if (draw === undefined) {
      const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      draw = radius * Math.cos(angle);
      this.spareNormal = radius * Math.sin(angle);
    } else {
      this.spareNormal = undefined;
    }
    return mean + standardDeviation * draw;
  }

  /** Uniform integer in [0, n), without bias. n must be an integer from 1 to 2^32. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > TWO_POW_32) {
      throw new GraftError(
        "invalid-argument",
        `integer(${String(n)}) has no value to draw.`,
        "Pass an integer from 1 to 4294967296.",
      );
    }
    const limit = TWO_POW_32 - (TWO_POW_32 % n);
    let word = this.nextWord();
    while (word >= limit) word = this.nextWord();
    return word % n;
  }

  /** A uniformly random order of 0 .. n-1 (Fisher-Yates). */
  permutation(n: number): Int32Array {
    const order = new Int32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i] ?? 0;
      order[i] = order[j] ?? 0;
      order[j] = held;
    }
    return order;
  }
}

/**
 * Fills `out` with 1 (keep) and 0 (drop), each element kept with `keepProbability`, to the nearest 2^-32.
 *
 * A training step needs millions of these, so 32 elements are decided together: bit j of the k-th random word is binary
 * digit k of element j's uniform draw, compared with digit k of the probability from the front. After some six words all
 * 32 comparisons are decided. Element i depends on the key and on `first` + i alone, never on the length of `out`: a
 * mask may be made in parts.
 *
 * @param out written whole.
 * @param keepProbability in [0, 1]; 1 keeps all, 0 drops all.
 * @param key names the mask: (seed, optimiser step, micro-step, site).
 * @param first place in the mask of `out`'s first element. Default 0.
 * @throws GraftError `invalid-argument` for a probability outside [0, 1].
 */
export function fillDropoutMask(out: Uint8Array, keepProbability: number, key: readonly number[], first = 0): void {
  if (!(keepProbability >= 0 && keepProbability <= 1)) {
    throw new GraftError(
      "invalid-argument",
      `A dropout mask was asked for with keep probability ${String(keepProbability)}.`,
      "Dropout rates lie between 0 and 1.",
    );
  }
  const threshold = Math.round(keepProbability * TWO_POW_32);
  if (threshold === 0 || threshold === TWO_POW_32) {
    out.fill(threshold === 0 ? 0 : 1);
    return;
  }
  const folded = foldKey(key);
  const single = new Uint32Array(8);
  const bytes = new Uint8Array(single.buffer);
  /** Elements before the first whole block, and behind the last. */
  const fillPart = (start: number, length: number): void => {
    const place = first + start;
    fillBlocks(single, Math.floor(place / 32), threshold | 0, folded);
    out.set(bytes.subarray(place % 32, (place % 32) + length), start);
  };
  const head = Math.min((32 - (first % 32)) % 32, out.length);
  if (head > 0) fillPart(0, head);
  const isAligned = (out.byteOffset + head) % 4 === 0;
  const blocks = isAligned ? (out.length - head) >>> 5 : 0;
  if (blocks > 0) {
    const whole = new Uint32Array(out.buffer, out.byteOffset + head, blocks * 8);
    fillBlocks(whole, Math.floor((first + head) / 32), threshold | 0, folded);
  }
  for (let start = head + blocks * 32; start < out.length; start += 32) {
    fillPart(start, Math.min(32, out.length - start));
  }
}

/** Fills whole blocks of 32 elements, eight 32-bit words each, beginning with block number `firstBlock`. */
function fillBlocks(out: Uint32Array, firstBlock: number, threshold: number, key: FoldedKey): void {
  const inner = key.inner | 0;
  const start = key.offset | 0;
  for (let i = 0, block = firstBlock; i < out.length; i += 8, block++) {
    let weyl = (start + Math.imul(block << 5, WEYL_STEP)) | 0;
    let digits = threshold | 0;
    let undecided = -1;
    let kept = 0;
    do {
      const word = wordAt(weyl, inner);
      const digit = digits >> 31;
      kept |= undecided & digit & ~word;
      undecided &= ~(word ^ digit);
      digits <<= 1;
      weyl = (weyl + WEYL_STEP) | 0;
    } while (undecided !== 0 && digits !== 0);
    out[i] = kept & 0x01010101;
    out[i + 1] = (kept >>> 1) & 0x01010101;
    out[i + 2] = (kept >>> 2) & 0x01010101;
    out[i + 3] = (kept >>> 3) & 0x01010101;
    out[i + 4] = (kept >>> 4) & 0x01010101;
    out[i + 5] = (kept >>> 5) & 0x01010101;
    out[i + 6] = (kept >>> 6) & 0x01010101;
    out[i + 7] = (kept >>> 7) & 0x01010101;
  }
}
