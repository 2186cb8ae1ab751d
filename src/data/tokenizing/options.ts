import type { Encoding, TextInputName } from "./padding.js";
import type { TruncationStrategy } from "./truncation.js";

/** Options of `encode`. */
export interface EncodeOptions {
  /** Most tokens in a row, special ones included. Default: the tokenizer's `modelMaxLength` when truncating. */
  readonly maxLength?: number;
  /** `true` means "longest_first". Default: `true` if `maxLength` is given, else no truncation. */
  readonly truncation?: boolean | TruncationStrategy;
  /** Default true. */
  readonly addSpecialTokens?: boolean;
}

/** Options of `Tokenizer.fromFolder`. */
export interface TokenizerOptions {
  /** Pad token by its text, for tokenizers that have none (GPT-2: "<|endoftext|>"). The vocabulary must have it. */
  readonly padToken?: string;
  /** The tensors that the model takes, instead of what the tokenizer says. */
  readonly modelInputNames?: readonly TextInputName[];
}

/** Options of `decode`. */
export interface DecodeOptions {
  /** Leaves special tokens out. Default false. */
  readonly skipSpecialTokens?: boolean;
  /**
   * Takes out spaces before punctuation. Default: `clean_up_tokenization_spaces` of tokenizer_config.json, else false.
   * As in transformers it does nothing for BPE.
   */
  readonly cleanUpTokenizationSpaces?: boolean;
}

/** A text or a pair of texts. */
export type TextOrPair = string | readonly [text: string, pair: string];

/** An encoding of texts that came in words. */
export interface WordEncoding extends Encoding {
  /** For each token the index of its word in its text, or null for special tokens. */
  readonly wordIds: readonly (number | null)[];
}
