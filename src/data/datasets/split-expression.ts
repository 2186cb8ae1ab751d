import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";

/** Rows `from` (inclusive) to `to` (exclusive) of a split. */
export interface SplitRange {
  readonly split: string;
  readonly from: number;
  readonly to: number;
}

interface Slice {
  readonly split: string;
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly isPercent: boolean;
  readonly rounding: "closest" | "pct1_dropremainder";
}

const form = /^(\w+(?:\.\w+)*)(?:\[(?:(-?[\d_]+)(%)?)?:(?:(-?[\d_]+)(%)?)?\])?(?:\(([^)]*)\))?$/;

function refused(expression: string, why: string, hint: string): GraftError {
  return new GraftError("invalid-argument", `split "${expression}": ${why}`, hint, { option: "split" });
}

function parseSlice(text: string, expression: string): Slice {
  const match = form.exec(text);
  const examples = 'Write a split such as "train", "train[:5000]", "train[10%:20%]", "train+test".';
  if (!match) throw refused(expression, `"${text}" is no split`, examples);
  const [, split = "", from, fromPercent, to, toPercent, given] = match;
  const isPercent = fromPercent !== undefined || toPercent !== undefined;
  const numberOf = (each: string | undefined) => (each === undefined ? undefined : Number(each.replaceAll("_", "")));
  const numbers = [numberOf(from), numberOf(to)].filter((each) => each !== undefined);
  if (isPercent && numbers.some((number) => Math.abs(number) > 100)) {
    throw refused(expression, "a percentage is beyond 100", "Percentages go from -100 to 100.");
  }
  if (given !== undefined && (!isPercent || (given !== "closest" && given !== "pct1_dropremainder"))) {
    throw refused(
      expression,
      `(${given}) is no way to round ${isPercent ? "percentages" : "rows"}`,
      "Percentages take (closest), the default, or (pct1_dropremainder).",
    );
  }
  return {
    split,
    from: numberOf(from),
    to: numberOf(to),
    isPercent,
    rounding: given === "pct1_dropremainder" ? given : "closest",
  };
}

/** As Python rounds: halves to the even number. */
function roundHalfEven(number: number): number {
  const below = Math.floor(number);
  const rest = number - below;
  if (rest !== 0.5) return Math.round(number);
  return below % 2 === 0 ? below : below + 1;
}

function rowsOf(slice: Slice, rows: number, expression: string): SplitRange {
  const { split, from, to, isPercent, rounding } = slice;
  if (isPercent && rounding === "pct1_dropremainder" && rows < 100) {
    throw refused(
      expression,
      `pct1_dropremainder of ${rows} rows leaves none`,
      "Use (closest) for fewer than 100 rows.",
    );
  }
  const absolute = (number: number): number => {
    if (!isPercent) return number;
    return rounding === "closest" ? roundHalfEven((number * rows) / 100) : number * Math.trunc(rows / 100);
  };
  const placed = (number: number | undefined, otherwise: number): number => {
    const at = number === undefined ? otherwise : absolute(number);
    return Math.min(at < 0 ? Math.max(rows + at, 0) : at, rows);
  };
  const start = placed(from, 0);
  return { split, from: start, to: Math.max(start, placed(to, rows)) };
}

const partsOf = (expression: string): string[] => expression.split("+");

/** The splits that an expression names, in its order. @throws GraftError `invalid-argument` */
export function splitsOf(expression: string, known: readonly string[], name: string): string[] {
  const wanted = partsOf(expression).map((part) => parseSlice(part, expression).split);
  const all = wanted.flatMap((split) => (split === "all" && !known.includes("all") ? known : [split]));
  const missing = all.find((split) => !known.includes(split));
  if (missing === undefined) return [...new Set(all)];
  throw refused(
    expression,
    `${name} has no split "${missing}"`,
    `Its splits: ${nearest(missing, known, 10).join(", ")}.`,
  );
}

/**
 * The rows of a split expression, as Python's `datasets` has them: "train", "train[:5000]", "train[-10%:]", "train+test".
 * @param lengths rows of each split
 * @throws GraftError `invalid-argument` for an expression that makes no sense
 */
export function splitRanges(expression: string, lengths: ReadonlyMap<string, number>): SplitRange[] {
  const ranges = partsOf(expression).flatMap((part) => {
    const slice = parseSlice(part, expression);
    const splits = slice.split === "all" && !lengths.has("all") ? [...lengths.keys()] : [slice.split];
    return splits.map((split) => rowsOf({ ...slice, split }, lengths.get(split) ?? 0, expression));
  });
  if (ranges.some(({ from, to }) => to > from)) return ranges;
  const rows = [...lengths].map(([split, length]) => `${split} has ${length} rows`).join(", ");
  throw refused(expression, "no rows are left", `${rows}: begin before the end.`);
}
