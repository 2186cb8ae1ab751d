import { GraftError } from "../../errors.js";
import type { TextTokens } from "./template.js";

/** How a text that is too long is cut, by transformers' names (`true` there is `longest_first`). */
export type TruncationStrategy = "longest_first" | "only_first" | "only_second" | "do_not_truncate";

/** The end at which tokens are cut off. */
export type TruncationSide = "right" | "left";

interface PairLengths {
  readonly first: number;
  readonly second: number;
}

/** Lengths after truncation; `second` is undefined for a single text. `budget` leaves out the special tokens. */
const strategies: {
  [S in TruncationStrategy]: (first: number, second: number | undefined, budget: number) => PairLengths;
} = {
  longest_first: longestFirst,
  only_first: (first, second = 0, budget) => ({ first: cut("first", first, first + second - budget), second }),
  only_second: (first, second = 0, budget) => ({ first, second: cut("second", second, first + second - budget) }),
  do_not_truncate: (first, second = 0) => ({ first, second }),
};

/** The shorter text stays whole if it leaves room for the other; else both end near half of the budget. */
function longestFirst(first: number, second: number | undefined, budget: number): PairLengths {
  if (second === undefined) return { first: Math.min(first, budget), second: 0 };
  if (first + second <= budget) return { first, second };
  const shorter = Math.min(first, second);
  let kept = shorter;
  let other = shorter > budget ? shorter : Math.max(shorter, budget - shorter);
  if (kept + other > budget) {
    kept = Math.floor(budget / 2);
    other = kept + (budget % 2);
  }
  return first > second ? { first: other, second: kept } : { first: kept, second: other };
}

function cut(which: string, length: number, excess: number): number {
  if (excess <= 0) return length;
  if (excess >= length) {
    throw new GraftError(
      "invalid-argument",
      `truncating only the ${which} text would have to remove ${excess} of its ${length} tokens`,
      'Use the strategy "longest_first" or a larger maxLength.',
    );
  }
  return length - excess;
}

/**
 * The strategy that options ask for: `true`, and `maxLength` alone, mean "longest_first".
 * @throws GraftError `invalid-argument` for an unknown name
 */
export function truncationStrategyOf({
  truncation,
  maxLength,
}: {
  readonly truncation?: boolean | TruncationStrategy;
  readonly maxLength?: number;
}): TruncationStrategy {
  if (typeof truncation === "string") {
    if (Object.hasOwn(strategies, truncation)) return truncation;
    throw new GraftError(
      "invalid-argument",
      `there is no truncation strategy ${JSON.stringify(truncation)}`,
      `Take true, false, or one of ${Object.keys(strategies).join(", ")}.`,
    );
  }
  return (truncation ?? maxLength !== undefined) ? "longest_first" : "do_not_truncate";
}

/** Cuts tokens to `budget` in all. */
export function truncate(
  first: TextTokens,
  second: TextTokens | undefined,
  budget: number,
  strategy: TruncationStrategy,
  side: TruncationSide,
): { first: TextTokens; second: TextTokens | undefined } {
  const lengths = strategies[strategy](first.ids.length, second?.ids.length, budget);
  const keep = (tokens: TextTokens, length: number): TextTokens => {
    if (tokens.ids.length === length) return tokens;
    const part = (values: readonly number[]) =>
      side === "right" ? values.slice(0, length) : values.slice(values.length - length);
    return { ids: part(tokens.ids), words: tokens.words && part(tokens.words) };
  };
  return { first: keep(first, lengths.first), second: second && keep(second, lengths.second) };
}
