/** Number of single-character changes between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** The words of `known` closest to `wanted`, best first; equally close ones in their own order. */
export function nearest(wanted: string, known: Iterable<string>, count = 3): string[] {
  return [...new Set(known)]
    .map((word) => ({ word, score: distance(wanted.toLowerCase(), word.toLowerCase()) }))
    .sort((a, b) => a.score - b.score)
    .slice(0, count)
    .map(({ word }) => word);
}
