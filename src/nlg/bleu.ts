import { type Example, requireExamples, tokenized } from "./example.js";
import { mtevalTokens } from "./mteval-tokens.js";
import { mostCounts, ngramCounts } from "./ngrams.js";

const LONGEST = 4;

/** Stand in for zeros, so that the score of a corpus without a single common 4-gram is 0 but defined. */
const NO_HITS = 1e-15;
const NO_WORDS = 1e-9;
const NO_OUTPUT = 1e-5;

/**
 * BLEU-4 of a corpus, 0 to 1 (Papineni et al. 2002), as the E2E NLG challenge measures it: mteval's words, no case, and the
 * reference nearest in length for the brevity penalty.
 * @throws GraftError `empty-dataset`
 */
export function bleu(examples: readonly Example[]): number {
  requireExamples(examples);
  const hits = new Array<number>(LONGEST).fill(0);
  const totals = new Array<number>(LONGEST).fill(0);
  let referenceLength = 0;
  for (const { output, references } of tokenized(examples, mtevalTokens)) {
    for (let n = 1; n <= LONGEST; n++) {
      const allowed = mostCounts(references, n);
      for (const [ngram, count] of ngramCounts(output, n)) hits[n - 1]! += Math.min(count, allowed.get(ngram) ?? 0);
      totals[n - 1]! += output.length - n + 1;
    }
    const byDistance = references
      .map(({ length }) => length)
      .sort((a, b) => Math.abs(a - output.length) - Math.abs(b - output.length) || a - b);
    referenceLength += byDistance[0] as number;
  }
  const length = totals[0] as number;
  const penalty = length <= referenceLength ? Math.exp(1 - referenceLength / (length || NO_OUTPUT)) : 1;
  const logarithms = hits.map((hit, index) =>
    Math.log(Math.max(hit, NO_HITS) / Math.max(totals[index] as number, NO_WORDS)),
  );
  return penalty * Math.exp(logarithms.reduce((sum, one) => sum + one, 0) / LONGEST);
}
