import { distance } from "fastest-levenshtein";

/** The words of `known` closest to `wanted`, best first; equally close ones in their own order. */
export function nearest(wanted: string, known: Iterable<string>, count = 3): string[] {
  return [...new Set(known)]
    .map((word) => ({ word, score: distance(wanted.toLowerCase(), word.toLowerCase()) }))
    .sort((a, b) => a.score - b.score)
    .slice(0, count)
    .map(({ word }) => word);
}
