import { type Example, requireExamples, tokenized } from "./example.js";
import { pennTokens } from "./penn-tokens.js";

/** How much more recall counts than precision. */
const BETA = 1.2;

/** Words in the longest common subsequence. */
function commonLength(ones: readonly string[], others: readonly string[]): number {
  let row = new Array<number>(others.length + 1).fill(0);
  for (const one of ones) {
    const next = [0];
    for (const [index, other] of others.entries()) {
      next.push(one === other ? (row[index] as number) + 1 : Math.max(row[index + 1] as number, next[index] as number));
    }
    row = next;
  }
  return row.at(-1) as number;
}

/**
 * The mean ROUGE-L of outputs, 0 to 1 (Lin 2004), as the COCO caption scripts measure it: the best precision and the best
 * recall among the references, Penn Treebank's words without punctuation.
 * @throws GraftError `empty-dataset`
 */
export function rougeL(examples: readonly Example[]): number {
  requireExamples(examples);
  const scores = tokenized(examples, pennTokens).map(({ output, references }) => {
    const common = references.map((reference) => commonLength(reference, output));
    // A text without words counts as one empty word.
    const precision = Math.max(...common) / Math.max(1, output.length);
    const recall = Math.max(...common.map((length, index) => length / Math.max(1, references[index]!.length)));
    return precision > 0 && recall > 0 ? ((1 + BETA ** 2) * precision * recall) / (recall + BETA ** 2 * precision) : 0;
  });
  return scores.reduce((sum, score) => sum + score, 0) / scores.length;
}
