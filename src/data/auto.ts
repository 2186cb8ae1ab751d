import { callable } from "../callable.js";
import { GraftError } from "../errors.js";
import type { HubOptions } from "../hub/index.js";
import { shown } from "../json.js";
import { ImageProcessor } from "./images/processor.js";
import type { EncodeOptions, TextOrPair, TokenizerOptions } from "./tokenizing/options.js";
import type { PaddedBatch } from "./tokenizing/padding.js";
import { Tokenizer } from "./tokenizing/tokenizer.js";

/** Options of a call of a tokenizer. */
export interface TokenizerCallOptions extends EncodeOptions {
  /** The second text of a pair, or one for each text. */
  readonly textPair?: string | readonly string[];
  /**
   * `true` or "longest": to the longest row; "max_length": to `maxLength` (default: the tokenizer's `modelMaxLength`).
   * Default `false`: rows must be of one length.
   */
  readonly padding?: boolean | "longest" | "max_length" | "do_not_pad";
  /** Rounds the padded length up to a multiple, e.g. 8. */
  readonly padToMultipleOf?: number;
}

/** What is tokenised: a text, or texts and pairs. */
export type TokenizerInput = string | readonly TextOrPair[];

/** A tokenizer that is called like a model: `await model(tokenizer(texts, { padding: true, truncation: true }))`. */
export type PreTrainedTokenizer = Tokenizer & {
  /**
   * @returns int32 tensors [texts, sequence], as the model takes them; a single text is a batch of one
   * @throws GraftError `invalid-argument` for rows of different lengths without padding, for a maxLength that is missing,
   *   and as `encode`; `invalid-tokenizer` where there is no pad token
   */
  (texts: TokenizerInput, options?: TokenizerCallOptions): PaddedBatch;
};

/** Loads tokenizers. */
export const AutoTokenizer = {
  /**
   * The tokenizer of a model: tokenizer.json, and tokenizer_config.json and special_tokens_map.json where they are there.
   * @param reference folder of a model or an adapter, or its name on the Hub
   * @throws GraftError `file-not-found`, `invalid-json`, `lfs-pointer`, `invalid-tokenizer`, `unsupported`
   */
  async fromPretrained(reference: string, options: TokenizerOptions & HubOptions = {}): Promise<PreTrainedTokenizer> {
    return callableTokenizer(await Tokenizer.fromFolder(reference, options));
  },
};

/** Loads image processors. */
export const AutoImageProcessor = {
  /**
   * The image processor of a model: preprocessor_config.json.
   * @param reference folder of a model or an adapter, or its name on the Hub
   * @throws GraftError `file-not-found`, `invalid-json`, `lfs-pointer`, `invalid-config`, `unsupported`
   */
  fromPretrained(reference: string, options: HubOptions = {}): Promise<ImageProcessor> {
    return ImageProcessor.fromPretrained(reference, options);
  },
};

/** The tokenizer itself, which can be called besides. */
export function callableTokenizer(tokenizer: Tokenizer): PreTrainedTokenizer {
  const forward = (texts: TokenizerInput, options: TokenizerCallOptions = {}) => encodeAll(tokenizer, texts, options);
  return callable(Object.assign(Object.create(tokenizer) as Tokenizer, { forward }));
}

function encodeAll(tokenizer: Tokenizer, texts: TokenizerInput, options: TokenizerCallOptions): PaddedBatch {
  const { textPair, padding = false, padToMultipleOf, ...encoding } = options;
  // As in transformers a length alone cuts, unless padding is what it is for.
  const truncation = options.maxLength !== undefined && padding === false;
  const encodings = tokenizer.encodeBatch(rowsOf(texts, textPair), { truncation, ...encoding });
  const lengths = new Set(encodings.map(({ inputIds }) => inputIds.length));
  if (padding === false || padding === "do_not_pad") {
    if (lengths.size > 1) {
      throw new GraftError(
        "invalid-argument",
        `the texts have ${[...lengths].sort((a, b) => a - b).join(", ")} tokens, which makes no tensor`,
        "Pass padding: true, and truncation: true where they may be too long for the model.",
      );
    }
    return tokenizer.padBatch(encodings);
  }
  const multiple = padToMultipleOf === undefined ? {} : { padToMultipleOf };
  if (padding !== "max_length") return tokenizer.padBatch(encodings, multiple);
  const maxLength = options.maxLength ?? tokenizer.modelMaxLength;
  if (maxLength === undefined) {
    throw new GraftError(
      "invalid-argument",
      'padding: "max_length" without a length, and the tokenizer names none',
      "Pass maxLength.",
    );
  }
  return tokenizer.padBatch(encodings, { ...multiple, maxLength });
}

function rowsOf(texts: TokenizerInput, textPair: TokenizerCallOptions["textPair"]): readonly TextOrPair[] {
  const rows = typeof texts === "string" ? [texts] : texts;
  if (!Array.isArray(rows) || rows.length === 0) {
    throw new GraftError(
      "invalid-argument",
      `${shown(texts)} is no text to tokenise`,
      "Give a text, or a list of texts.",
    );
  }
  if (textPair === undefined) return rows;
  const pairs = typeof textPair === "string" ? [textPair] : textPair;
  if (pairs.length !== rows.length) {
    throw new GraftError(
      "invalid-argument",
      `${rows.length} texts and ${pairs.length} second texts`,
      "Give textPair as many texts as there are first ones.",
    );
  }
  return rows.map((row, index) => {
    if (typeof row === "string") return [row, pairs[index] as string];
    throw new GraftError("invalid-argument", "textPair beside rows that are pairs", "Give pairs, or textPair.");
  });
}
