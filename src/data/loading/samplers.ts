import { GraftError } from "../../errors.js";
import { CounterRng } from "../../random.js";

/** Orders of rows, by the names of transformers' train_sampling_strategy. */
export type SamplingStrategy = "sequential" | "random" | "group_by_length";

/** What an order of rows may depend on. */
export interface SamplerInput {
  readonly length: number;
  /** Needed by "group_by_length". */
  readonly lengths?: ArrayLike<number>;
  /** Rows of one optimiser step (batch size times gradient accumulation steps). */
  readonly batchSize: number;
  readonly seed: number;
  readonly epoch: number;
}

/** The order of all rows in one epoch, a function of its input alone. */
export type Sampler = (input: SamplerInput) => Int32Array;

/** Keeps shuffling's draws apart from others of the same seed. */
const SHUFFLE_STREAM = 0x5aff1e;

function shuffled({ length, seed, epoch }: SamplerInput): Int32Array {
  return new CounterRng([seed, epoch, SHUFFLE_STREAM]).permutation(length);
}

/** The orders by name. */
export const samplers: { readonly [S in SamplingStrategy]: Sampler } = {
  sequential: ({ length }) => Int32Array.from({ length }, (_, index) => index),
  random: shuffled,
  group_by_length: (input) => {
    if (input.lengths === undefined) {
      throw new GraftError(
        "invalid-argument",
        "rows cannot be grouped by length: the dataset does not know its lengths",
        'Only tokenised texts have them (tokenizeDataset); otherwise set trainSamplingStrategy to "random".',
      );
    }
    return groupByLength(shuffled(input), input.lengths, input.batchSize);
  },
};

/**
 * Groups a random order by length as transformers' group_by_length does: mega-batches of up to 50 batches (a quarter of
 * the data for small data), each sorted from long to short, and the longest row of all first, so that memory runs out at
 * the start or never.
 */
export function groupByLength(order: Int32Array, lengths: ArrayLike<number>, batchSize: number): Int32Array {
  const size = batchSize * Math.max(1, Math.min(Math.floor(order.length / (batchSize * 4)), 50));
  const grouped = new Int32Array(order.length);
  let longest = 0;
  for (let start = 0; start < order.length; start += size) {
    const mega = Array.from(order.subarray(start, start + size));
    mega.sort((a, b) => lengths[b]! - lengths[a]!);
    grouped.set(mega, start);
    if (lengths[mega[0]!]! > lengths[grouped[longest]!]!) longest = start;
  }
  if (order.length > 0) [grouped[0], grouped[longest]] = [grouped[longest]!, grouped[0]!];
  return grouped;
}
