import { GraftError } from "../../errors.js";
import { ignoredLabel } from "../../problem-type.js";
import { tensorData } from "../../tensor-data.js";
import type { Dataset, TokenExample } from "../dataset.js";
import type { Encoding, PaddingOptions } from "../tokenizing/padding.js";
import type { Tokenizer } from "../tokenizing/tokenizer.js";
import type { BatchTensors } from "./batch.js";
import { encodeWords } from "./encode-words.js";

/** Token ids of a sentence of words, with a label for each token. */
export interface TokenizedWords extends Encoding {
  /** For each token the word that it is part of; null for special tokens. */
  readonly wordIds: readonly (number | null)[];
  /** One for each token: the word's at its first token, the ignored label at all others. */
  readonly labels?: Int32Array;
}

/** Labels of words as labels of tokens: the first token of each word has its label. */
function alignLabels(labels: readonly number[], wordIds: readonly (number | null)[]): Int32Array {
  return Int32Array.from(wordIds, (word, token) =>
    word === null || word === wordIds[token - 1] ? ignoredLabel : (labels[word] as number),
  );
}

function tokenizeExample(
  { words, labels }: TokenExample,
  row: number,
  tokenizer: Tokenizer,
  options: { readonly maxLength?: number },
): TokenizedWords {
  if (labels !== undefined && labels.length !== words.length) {
    throw new GraftError(
      "invalid-label",
      `row ${row} has ${words.length} words and ${labels.length} labels`,
      "Give each word one label.",
    );
  }
  const { inputIds, wordIds } = encodeWords(tokenizer, words, options);
  return { inputIds, wordIds, ...(labels && { labels: alignLabels(labels, wordIds) }) };
}

/**
 * Tokenises sentences of words, all at once, as transformers' example of token classification does: the first token of
 * each word is labelled, the others are ignored. Rows are cut at `maxLength` (default: the tokenizer's).
 * @throws GraftError `invalid-label` for a row with more or fewer labels than words
 */
export function tokenizeWords(
  examples: readonly TokenExample[],
  tokenizer: Tokenizer,
  options: { readonly maxLength?: number } = {},
): Dataset<TokenizedWords> & { readonly lengths: Int32Array; readonly rows: readonly TokenizedWords[] } {
  const rows = examples.map((example, row) => tokenizeExample(example, row, tokenizer, options));
  return {
    rows,
    length: rows.length,
    lengths: Int32Array.from(rows, ({ inputIds }) => inputIds.length),
    get: (index) => rows[index]!,
  };
}

/** Options of `DataCollatorForTokenClassification`. */
export interface TokenCollatorOptions extends PaddingOptions {
  /** Label of padding. Default -100, which counts neither in the loss nor in metrics. */
  readonly labelPadTokenId?: number;
}

/**
 * Makes batches of tokenised sentences: inputIds, attentionMask (and tokenTypeIds where the model takes them) and labels,
 * int32 [batch, sequence], padded to the longest row.
 */
export function DataCollatorForTokenClassification(
  tokenizer: Tokenizer,
  { labelPadTokenId = ignoredLabel, ...padding }: TokenCollatorOptions = {},
): (rows: readonly (Encoding & { readonly labels?: ArrayLike<number> })[]) => BatchTensors {
  return (rows) => {
    const tensors: BatchTensors = { ...tokenizer.padBatch(rows, padding) };
    const labelled = rows.filter(({ labels }) => labels !== undefined).length;
    if (labelled === 0) return tensors;
    if (labelled < rows.length) {
      throw new GraftError(
        "invalid-label",
        `${rows.length - labelled} of ${rows.length} rows of a batch have no labels`,
        "Give every row labels, or none.",
      );
    }
    const sequence = tensors.inputIds?.shape[1] as number;
    const data = new Int32Array(rows.length * sequence).fill(labelPadTokenId);
    rows.forEach(({ inputIds, labels = [] }, row) => {
      if (labels.length !== inputIds.length) {
        throw new GraftError(
          "invalid-label",
          `a row has ${inputIds.length} tokens and ${labels.length} labels`,
          "Label every token; -100 for those that do not count (tokenizeWords does it).",
        );
      }
      data.set(labels, row * sequence + (tokenizer.paddingSide === "right" ? 0 : sequence - labels.length));
    });
    return { ...tensors, labels: tensorData("int32", [rows.length, sequence], data) };
  };
}
