import type { CodePointRanges } from "../unicode/character-class.js";

const LAST = 0x10ffff;

/** Sorted ranges without overlaps, of any ranges. */
export function union(...sets: readonly CodePointRanges[]): number[] {
  const pairs: [number, number][] = [];
  for (const set of sets) for (let i = 0; i < set.length; i += 2) pairs.push([set[i]!, set[i + 1]!]);
  pairs.sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [first, last] of pairs) {
    const end = out.at(-1);
    if (end !== undefined && first <= end + 1) out[out.length - 1] = Math.max(end, last);
    else out.push(first, last);
  }
  return out;
}

/** Every other character. */
export function complement(set: CodePointRanges): number[] {
  const out: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) out.push(next, set[i]! - 1);
    next = set[i + 1]! + 1;
  }
  if (next <= LAST) out.push(next, LAST);
  return out;
}

export function intersection(a: CodePointRanges, b: CodePointRanges): number[] {
  return complement(union(complement(a), complement(b)));
}

/** What is in one of two sets only. */
export function difference(a: CodePointRanges, b: CodePointRanges): number[] {
  return union(intersection(a, complement(b)), intersection(b, complement(a)));
}
