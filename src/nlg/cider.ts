import { type Example, requireExamples, tokenized } from "./example.js";
import { ngramCounts } from "./ngrams.js";
import { pennTokens } from "./penn-tokens.js";

const LONGEST = 4;

/** Width of the bell by which outputs of another length than a reference lose, in pairs of words. */
const SIGMA = 6;

interface Weighted {
  readonly weights: ReadonlyMap<string, number>;
  readonly norm: number;
}

/**
 * The mean CIDEr-D of outputs, 0 to 10 (Vedantam et al. 2015), as the COCO caption scripts measure it: n-grams weighted by how rare they
 * are among the references of the corpus. Over a single example every weight is zero.
 * @throws GraftError `empty-dataset`
 */
export function cider(examples: readonly Example[]): number {
  requireExamples(examples);
  const texts = tokenized(examples, pennTokens);
  const lengths = Array.from({ length: LONGEST }, (_, index) => index + 1);
  const frequency = new Map<string, number>();
  for (const { references } of texts) {
    const seen = new Set(references.flatMap((words) => lengths.flatMap((n) => [...ngramCounts(words, n).keys()])));
    for (const ngram of seen) frequency.set(ngram, (frequency.get(ngram) ?? 0) + 1);
  }
  const corpus = Math.log(texts.length);
  const weighted = (words: readonly string[], n: number): Weighted => {
    const weights = new Map<string, number>();
    let square = 0;
    for (const [ngram, count] of ngramCounts(words, n)) {
      const weight = count * (corpus - Math.log(Math.max(1, frequency.get(ngram) ?? 0)));
      weights.set(ngram, weight);
      square += weight * weight;
    }
    return { weights, norm: Math.sqrt(square) };
  };
  // The scripts measure length in pairs of words.
  const pairs = (words: readonly string[]): number => Math.max(0, words.length - 1);
  const similarity = (output: readonly string[], reference: readonly string[]): number => {
    const distance = pairs(output) - pairs(reference);
    const bell = Math.exp(-(distance ** 2) / (2 * SIGMA ** 2));
    const cosines = lengths.map((n) => {
      const [one, other] = [weighted(output, n), weighted(reference, n)];
      let product = 0;
      for (const [ngram, weight] of one.weights) {
        const theirs = other.weights.get(ngram) ?? 0;
        product += Math.min(weight, theirs) * theirs;
      }
      return one.norm > 0 && other.norm > 0 ? product / (one.norm * other.norm) : product;
    });
    return (bell * cosines.reduce((sum, one) => sum + one, 0)) / LONGEST;
  };
  const scores = texts.map(
    ({ output, references }) =>
      (10 * references.reduce((sum, reference) => sum + similarity(output, reference), 0)) / references.length,
  );
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
