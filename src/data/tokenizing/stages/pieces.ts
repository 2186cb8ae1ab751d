/** A part of a text on its way through the stages. */
export interface Piece {
  readonly text: string;
  /**
   * How many leading UTF-16 units come from the very start of the original text: 0 for a piece from further on. Only
   * Metaspace's scheme "first" asks for it.
   */
  readonly origin: number;
}

export function slicePiece({ text, origin }: Piece, start: number, end: number): Piece {
  return { text: text.slice(start, end), origin: Math.max(0, Math.min(origin, end) - start) };
}

/** A part of a text, and whether the pattern matched there. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly matched: boolean;
}

/** All parts of a text in order, matched or not. */
export type Pattern = (text: string) => Match[];

/** What becomes of the parts that match, by the Rust library's names. */
const behaviors = {
  Removed: (matches: readonly Match[]) => matches.filter(({ matched }) => !matched),
  Isolated: (matches: readonly Match[]) => matches,
  Contiguous: (matches: readonly Match[]) => join(matches, (match, previous) => match.matched === previous),
  MergedWithPrevious: (matches: readonly Match[]) => join(matches, (match, previous) => match.matched && !previous),
  MergedWithNext: (matches: readonly Match[]) =>
    join([...matches].reverse(), (match, previous) => match.matched && !previous).reverse(),
} as const;

export type SplitBehavior = keyof typeof behaviors;
export const splitBehaviors: { readonly [B in SplitBehavior]: (matches: readonly Match[]) => readonly Match[] } =
  behaviors;

/** Joins a part to the one before it where `joins` says so. */
function join(matches: readonly Match[], joins: (match: Match, previousMatched: boolean) => boolean): Match[] {
  const out: Match[] = [];
  let previous = false;
  for (const match of matches) {
    const last = out.at(-1);
    if (last && joins(match, previous)) {
      const start = Math.min(last.start, match.start);
      out[out.length - 1] = { start, end: Math.max(last.end, match.end), matched: false };
    } else {
      out.push(match);
    }
    previous = match.matched;
  }
  return out;
}

/** Splits a piece by a pattern; empty parts vanish. */
export function splitPiece(piece: Piece, pattern: Pattern, behavior: SplitBehavior): Piece[] {
  const out: Piece[] = [];
  for (const { start, end } of splitBehaviors[behavior](pattern(piece.text))) {
    if (end > start) out.push(slicePiece(piece, start, end));
  }
  return out;
}

/** Each character that a test accepts is a match of its own. */
export function characterPattern(test: (codePoint: number) => boolean): Pattern {
  return (text) => {
    const matches: Match[] = [];
    let from = 0;
    for (let i = 0; i < text.length; ) {
      const code = text.codePointAt(i)!;
      const end = i + (code > 0xffff ? 2 : 1);
      if (test(code)) {
        if (from < i) matches.push({ start: from, end: i, matched: false });
        matches.push({ start: i, end, matched: true });
        from = end;
      }
      i = end;
    }
    if (from < text.length) matches.push({ start: from, end: text.length, matched: false });
    return matches;
  };
}

/** Matches of an expression with the flags g and u; an empty one right behind another match does not count. */
export function regexPattern(regex: RegExp): Pattern {
  return (text) => {
    const matches: Match[] = [];
    let from = 0;
    let lastEnd = -1;
    regex.lastIndex = 0;
    for (let found = regex.exec(text); found; found = regex.exec(text)) {
      const start = found.index;
      const end = start + found[0].length;
      if (start === end) {
        regex.lastIndex += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
        if (start === lastEnd) continue;
      }
      if (from < start) matches.push({ start: from, end: start, matched: false });
      matches.push({ start, end, matched: true });
      from = end;
      lastEnd = end;
    }
    if (from < text.length) matches.push({ start: from, end: text.length, matched: false });
    return matches;
  };
}

/** A pattern that matches where another does not. */
export function inverted(pattern: Pattern): Pattern {
  return (text) => pattern(text).map(({ start, end, matched }) => ({ start, end, matched: !matched }));
}
