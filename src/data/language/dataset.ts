import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { type Dataset, datasetOf } from "../dataset.js";
import { requireCount } from "../require-count.js";
import type { Tokenizer } from "../tokenizing/tokenizer.js";
import { type EncodedExample, type EncodeLanguageOptions, encodeLanguageExample } from "./encode.js";
import type { LanguageExample } from "./examples.js";
import { type FitReport, fitExamples, type LanguageRow, type TooLong } from "./fit.js";
import { packRows } from "./pack.js";

/** Options of `languageDataset`. */
export interface LanguageDatasetOptions extends EncodeLanguageOptions {
  /** Most tokens of a row. Default: the tokenizer's `modelMaxLength`; where it has none, rows are as long as they are. */
  readonly maxLength?: number | undefined;
  /** What becomes of longer prompts and chats: their end is cut off, they are left out, or an error. Default "cut". */
  readonly tooLong?: TooLong | undefined;
  /** Puts several rows into one of up to `maxLength` tokens, without their seeing each other. Default false. */
  readonly packing?: boolean | undefined;
  /** Ids are below this number; the model's. Default: any. */
  readonly vocabSize?: number | undefined;
  /** What the rows are for, before each line about them ("train"). Default: nothing. */
  readonly name?: string | undefined;
  /** Told what was decided and might surprise. Default: nobody. */
  readonly onInfo?: ((line: string) => void) | undefined;
}

/** Tokenised rows for `DataCollatorForLanguageModeling`. */
export interface TokenizedLanguageDataset extends Dataset<LanguageRow> {
  readonly rows: readonly LanguageRow[];
}

function requireKnownIds({ place, inputIds }: EncodedExample, vocabSize: number): void {
  const unknown = inputIds.find((id) => id >= vocabSize);
  if (unknown === undefined) return;
  throw new GraftError(
    "invalid-token",
    `${place} holds the token id ${unknown}; the model takes 0 to ${vocabSize - 1} (vocab_size)`,
    "Use the tokenizer that belongs to the model: the one in its folder.",
  );
}

const countOf = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

function tell(
  { chunked, cut, cutAnswers, skipped }: FitReport,
  maxLength: number,
  onInfo: (line: string) => void,
): void {
  if (chunked > 0) onInfo(`${countOf(chunked, "text")} longer than ${maxLength} tokens: read in pieces of that length`);
  if (cut > 0) {
    onInfo(
      `${countOf(cut, "row")} longer than ${maxLength} tokens: their ends are cut off, ${cutAnswers === 0 ? "no answer with them" : `the ends of ${countOf(cutAnswers, "answer")} with them, which are learnt without an end (tooLong skip leaves such rows out)`}`,
    );
  }
  if (skipped > 0) onInfo(`${countOf(skipped, "row")} longer than ${maxLength} tokens: left out`);
}

function tellTokens(tokenizer: Tokenizer, examples: readonly LanguageExample[], onInfo: (line: string) => void): void {
  const { eos_token: eos } = tokenizer.specialTokens;
  const isEnded = examples.some((example) => !("messages" in example));
  if (eos === undefined && isEnded) {
    onInfo(
      "the tokenizer has no end token (eos_token): texts are learnt without one, and the model does not learn to stop",
    );
  }
  if (tokenizer.padTokenId === undefined) {
    onInfo("the tokenizer has no pad token: rows are filled up with token 0, which is hidden and not learnt");
  }
}

/**
 * Tokenises what a language model is to learn, and makes it fit.
 * @throws GraftError as `encodeLanguageExample` and `fitExamples`; `invalid-token` for ids that the model does not know;
 *   `empty-dataset` where every row is left out; `invalid-argument` for packing without a length
 */
export function languageDataset(
  examples: readonly LanguageExample[],
  tokenizer: Tokenizer,
  options: LanguageDatasetOptions = {},
): TokenizedLanguageDataset {
  const { packing = false, tooLong = "cut", vocabSize = Number.POSITIVE_INFINITY, name } = options;
  const told = options.onInfo ?? (() => {});
  const onInfo = (line: string) => told(name === undefined ? line : `${name}: ${line}`);
  const { maxLength = tokenizer.modelMaxLength ?? Number.POSITIVE_INFINITY } = options;
  if (Number.isFinite(maxLength)) requireCount("maxLength", maxLength, 2);
  if (packing && !Number.isFinite(maxLength)) {
    throw new GraftError(
      "invalid-argument",
      "packing needs a length, and neither the model nor its tokenizer has a longest one",
      "Set maxLength.",
      { option: "maxLength" },
    );
  }
  tellTokens(tokenizer, examples, told);
  const encoded = examples.map((example) => {
    const one = encodeLanguageExample(example, tokenizer, options);
    requireKnownIds(one, vocabSize);
    return one;
  });
  const { rows, report } = fitExamples(encoded, maxLength, tooLong);
  tell(report, maxLength, onInfo);
  if (rows.length === 0) {
    throw new GraftError(
      "empty-dataset",
      `all ${examples.length} rows are longer than ${maxLength} tokens and left out`,
      'Raise maxLength, or set tooLong to "cut".',
      { option: "maxLength" },
    );
  }
  const final = packing ? packRows(rows, maxLength) : rows;
  if (packing) {
    const tokens = rows.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
    const share = Math.round((100 * tokens) / (final.length * maxLength));
    onInfo(`${countOf(rows.length, "row")} packed into ${final.length} of up to ${maxLength} tokens, ${share} % full`);
  }
  const learnt = final.reduce(
    (sum, { labels }) => sum + labels.filter((label, i) => i > 0 && label !== ignoredLabel).length,
    0,
  );
  const all = final.reduce((sum, { inputIds }) => sum + inputIds.length, 0);
  onInfo(`${all} tokens, of which ${learnt} are learnt`);
  return { ...datasetOf(final), rows: final, lengths: final.map(({ inputIds }) => inputIds.length) };
}
