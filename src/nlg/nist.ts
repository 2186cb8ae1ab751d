import { type Example, requireExamples, tokenized } from "./example.js";
import { mtevalTokens } from "./mteval-tokens.js";
import { mostCounts, ngramCounts, prefixOf } from "./ngrams.js";

const LONGEST = 5;

/** An output of two thirds of the references' length is worth half. */
const BETA = -Math.log(0.5) / Math.log(1.5) ** 2;

function lengthPenalty(ratio: number): number {
  if (ratio >= 1) return 1;
  return ratio <= 0 ? 0 : Math.exp(-BETA * Math.log(ratio) ** 2);
}

/**
 * NIST-5 of a corpus (Doddington 2002), as the E2E NLG challenge measures it: common n-grams count by how much they say, which is
 * estimated on the references.
 * @throws GraftError `empty-dataset`
 */
export function nist(examples: readonly Example[]): number {
  requireExamples(examples);
  const texts = tokenized(examples, mtevalTokens);
  const known = Array.from({ length: LONGEST + 1 }, () => new Map<string, number>());
  let averageLength = 0;
  for (const { references } of texts) {
    const words = references.reduce((sum, { length }) => sum + length, 0);
    averageLength += words / references.length;
    known[0]!.set("", (known[0]!.get("") ?? 0) + words);
    for (let n = 1; n <= LONGEST; n++) {
      for (const reference of references) {
        for (const [ngram, count] of ngramCounts(reference, n)) {
          known[n]!.set(ngram, (known[n]!.get(ngram) ?? 0) + count);
        }
      }
    }
  }
  const information = (ngram: string, n: number): number =>
    Math.log2((known[n - 1]!.get(prefixOf(ngram)) as number) / (known[n]!.get(ngram) as number));
  let score = 0;
  for (let n = 1; n <= LONGEST; n++) {
    let said = 0;
    let total = 0;
    for (const { output, references } of texts) {
      const allowed = mostCounts(references, n);
      for (const [ngram, count] of ngramCounts(output, n)) {
        const hits = Math.min(count, allowed.get(ngram) ?? 0);
        if (hits > 0) said += hits * information(ngram, n);
      }
      total += output.length - n + 1;
    }
    score += said / total;
  }
  const outputLength = texts.reduce((sum, { output }) => sum + output.length, 0);
  return score * lengthPenalty(outputLength / averageLength);
}
