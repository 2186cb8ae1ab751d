import type { ProblemType } from "../../problem-type.js";
import type { Dataset, TextExample } from "../dataset.js";
import type { EncodeOptions } from "../tokenizing/options.js";
import type { Encoding, PaddingOptions } from "../tokenizing/padding.js";
import type { Tokenizer } from "../tokenizing/tokenizer.js";
import { type BatchTensors, labelTensor, type RowLabel } from "./batch.js";

/** Token ids of one row, with its label. */
export interface TokenizedExample extends Encoding {
  readonly label?: RowLabel;
}

/**
 * Tokenises all rows at once; `lengths` is known afterwards. Rows are cut at `maxLength` (default: the tokenizer's
 * `modelMaxLength`).
 */
export function tokenizeDataset(
  examples: readonly TextExample[],
  tokenizer: Tokenizer,
  options: EncodeOptions = {},
): Dataset<TokenizedExample> & { readonly lengths: Int32Array } {
  const rows = examples.map((example) => tokenizeExample(example, tokenizer, options));
  return {
    length: rows.length,
    lengths: Int32Array.from(rows, ({ inputIds }) => inputIds.length),
    get: (index) => rows[index]!,
  };
}

/** Only what padding cannot work out again is kept: masks are all ones, and single texts have token type 0. */
function tokenizeExample(
  { text, textPair, label }: TextExample,
  tokenizer: Tokenizer,
  options: EncodeOptions,
): TokenizedExample {
  const { inputIds, tokenTypeIds } = tokenizer.encode(text, textPair, { truncation: true, ...options });
  return {
    inputIds,
    ...(tokenTypeIds?.some((type) => type !== 0) && { tokenTypeIds }),
    ...(label !== undefined && { label }),
  };
}

/** Options of `DataCollatorWithPadding`. */
export interface DataCollatorWithPaddingOptions extends PaddingOptions {
  /** Default "single_label_classification". */
  readonly problemType?: ProblemType;
}

/**
 * Makes batches of tokenised or plain rows: inputIds, attentionMask (and tokenTypeIds where the model takes them) int32
 * [batch, sequence], padded to the longest row; labels int32 [batch]; regression: float32 [batch] or
 * [batch, values]; several labels: float32 [batch, classes].
 */
export function DataCollatorWithPadding(
  tokenizer: Tokenizer,
  { problemType, ...padding }: DataCollatorWithPaddingOptions = {},
): (rows: readonly (TokenizedExample | TextExample)[]) => BatchTensors {
  const encodeOptions = padding.maxLength === undefined ? {} : { maxLength: padding.maxLength };
  return (rows) => {
    const encodings = rows.map((row) => ("inputIds" in row ? row : tokenizeExample(row, tokenizer, encodeOptions)));
    const tensors: BatchTensors = { ...tokenizer.padBatch(encodings, padding) };
    return { ...tensors, ...labelTensor(rows, problemType) };
  };
}
