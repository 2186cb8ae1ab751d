/** Between the words of an n-gram's key; no tokeniser leaves one in a word. */
const SEPARATOR = " ";

/** How often each run of n words occurs. */
export function ngramCounts(words: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + n <= words.length; start++) {
    const key = words.slice(start, start + n).join(SEPARATOR);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** All of an n-gram but its last word; "" for a single word. */
export const prefixOf = (ngram: string): string => ngram.slice(0, Math.max(0, ngram.lastIndexOf(SEPARATOR)));

/** The most that each n-gram occurs in any one of some texts. */
export function mostCounts(texts: readonly (readonly string[])[], n: number): Map<string, number> {
  const most = new Map<string, number>();
  for (const words of texts) {
    for (const [ngram, count] of ngramCounts(words, n)) most.set(ngram, Math.max(most.get(ngram) ?? 0, count));
  }
  return most;
}
