import { Tokenizer as StagedTokenizer } from "@huggingface/tokenizers";
import { GraftError, messageOf } from "../../errors.js";
import { requireCount } from "../require-count.js";
import { exactNormalizer, exactPreTokenizer } from "./exact-components.js";
import { type Encoding, type PaddedBatch, type PaddingOptions, padEncodings, type TextInputName } from "./padding.js";
import { saveTokenizerFiles } from "./save-tokenizer.js";
import { applyTemplate, readTemplate, specialTokenCount, type Template } from "./template.js";
import {
  modelInputNames,
  paddingOf,
  readTokenizerFiles,
  specialToken,
  type TokenizerFiles,
  wordLevelUnknown,
} from "./tokenizer-files.js";
import { type TruncationSide, type TruncationStrategy, truncate, truncationStrategies } from "./truncation.js";

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
  /** Pad token by its text, for tokenizers that have none (GPT-2: "<|endoftext|>"). */
  readonly padToken?: string;
  /** The tensors that the model takes, instead of what the tokenizer says. */
  readonly modelInputNames?: readonly TextInputName[];
}

/** A text or a pair of texts. */
export type TextOrPair = string | readonly [text: string, pair: string];

/**
 * A tokenizer.json, giving the token ids that Hugging Face's tokenizers give.
 *
 * Stages come from `@huggingface/tokenizers`; where its JavaScript differs from the Rust original they are replaced
 * (see exact-components.ts), and truncation and special tokens are done here in Hugging Face's order.
 * Unpaired surrogates, which Python strings cannot pass on, count as U+FFFD.
 */
export class Tokenizer {
  /** The tensors that `encode` and `padBatch` give. */
  readonly modelInputNames: readonly TextInputName[];
  /** Undefined where the tokenizer has no pad token. */
  readonly padTokenId: number | undefined;
  /** Ids are below this number (added tokens included). */
  readonly vocabSize: number;
  /** `model_max_length` of tokenizer_config.json; undefined if it is missing or "very large". */
  readonly modelMaxLength: number | undefined;
  private readonly template: Template;
  /** Where `padBatch` fills rows up. */
  readonly paddingSide: "right" | "left";
  private readonly padTokenTypeId: number;
  private readonly truncationSide: TruncationSide;
  /** What a whole word that the vocabulary lacks becomes (WordLevel); the other models have it in their stages. */
  private readonly unknownId: number | undefined;
  /** The parsed vocabulary is not kept beside its text. */
  private readonly files: TokenizerFiles;

  private constructor(
    private readonly stages: StagedTokenizer,
    files: TokenizerFiles,
    private readonly options: TokenizerOptions,
  ) {
    this.files = files.texts ? { ...files, tokenizer: {} } : files;
    this.template = readTemplate(stages);
    const unknown = wordLevelUnknown(files);
    this.unknownId = unknown === undefined ? undefined : stages.token_to_id(unknown);
    const hasTypes = this.template.pair.some((part) => part.tokenType > 0) && this.template.pair.length > 2;
    this.modelInputNames = options.modelInputNames ?? modelInputNames(files, hasTypes);
    const padding = paddingOf(files);
    const padToken = options.padToken ?? specialToken(files, "pad_token") ?? padding.pad_token;
    this.padTokenId = typeof padToken === "string" ? this.idOf(padToken) : undefined;
    this.vocabSize = stages.get_vocab(true).size === 0 ? 0 : largest(stages.get_vocab(true).values()) + 1;
    const maxLength = files.config.model_max_length;
    this.modelMaxLength = typeof maxLength === "number" && maxLength < 1e9 ? maxLength : undefined;
    this.paddingSide = files.config.padding_side === "left" ? "left" : "right";
    this.truncationSide = files.config.truncation_side === "left" ? "left" : "right";
    this.padTokenTypeId = typeof files.config.pad_token_type_id === "number" ? files.config.pad_token_type_id : 0;
  }

  /**
   * Reads tokenizer.json, and tokenizer_config.json and special_tokens_map.json where they are there.
   * @throws GraftError `file-not-found`, `invalid-json`, `invalid-tokenizer`, `unsupported`.
   */
  static async fromFolder(folder: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
    return Tokenizer.fromFiles(await readTokenizerFiles(folder), options, folder);
  }

  /** The same from parsed files. `name` stands in error messages. */
  static fromFiles(files: TokenizerFiles, options: TokenizerOptions = {}, name = "the tokenizer"): Tokenizer {
    try {
      const stages = new StagedTokenizer({ ...absentStages, ...files.tokenizer }, files.config);
      stages.normalizer = exactNormalizer(stages.normalizer);
      stages.pre_tokenizer = exactPreTokenizer(stages.pre_tokenizer);
      return new Tokenizer(stages, files, options);
    } catch (error) {
      if (error instanceof GraftError) throw error;
      throw new GraftError(
        "invalid-tokenizer",
        `${name}: tokenizer.json cannot be used: ${messageOf(error)}`,
        "The file is damaged or holds a stage that is not known yet: fetch it again, or save it with a current transformers.",
        { cause: error },
      );
    }
  }

  /**
   * Writes the files that the tokenizer was made from, which transformers loads: tokenizer.json, and
   * tokenizer_config.json and special_tokens_map.json where they were there. `padToken` and `modelInputNames`, where
   * they were given, go into tokenizer_config.json.
   * @param folder created where it is missing; each file is written whole or not at all
   * @throws GraftError `file-access`, `disk-full`
   */
  savePretrained(folder: string): Promise<void> {
    return saveTokenizerFiles(folder, this.files, this.options);
  }

  /** The id of a token. @throws GraftError `invalid-token` if the vocabulary lacks it. */
  idOf(token: string): number {
    const id = this.stages.token_to_id(token);
    if (id === undefined) {
      throw new GraftError(
        "invalid-token",
        `the tokenizer's vocabulary has no token "${token}"`,
        "Use a token that tokenizer.json lists.",
      );
    }
    return id;
  }

  /**
   * Token ids of a text or a pair, with special tokens.
   * @throws GraftError `invalid-argument` if `maxLength` has no room for the special tokens, for an unknown strategy and
   *   for what is no text; `invalid-token` for a piece that the vocabulary lacks, where there is no unknown token.
   */
  encode(text: string, pair?: string, options: EncodeOptions = {}): Encoding {
    const template = (options.addSpecialTokens ?? true) ? this.template : bareTemplate;
    const parts = pair === undefined ? template.single : template.pair;
    let first = this.idsOf(text);
    let second = pair === undefined ? undefined : this.idsOf(pair);
    const maxLength = options.maxLength ?? this.modelMaxLength;
    requireCount("maxLength", maxLength);
    const strategy = strategyOf(options);
    if (strategy !== "do_not_truncate" && maxLength !== undefined) {
      const budget = maxLength - specialTokenCount(parts);
      if (budget < 0) {
        throw new GraftError(
          "invalid-argument",
          `maxLength ${maxLength} is less than the ${specialTokenCount(parts)} special tokens of a row`,
          "Use a larger maxLength.",
        );
      }
      ({ first, second } = truncate(first, second, budget, strategy, this.truncationSide));
    }
    const { inputIds, tokenTypeIds } = applyTemplate(parts, first, second ?? []);
    return {
      inputIds,
      ...(this.modelInputNames.includes("attentionMask") && { attentionMask: new Int32Array(inputIds.length).fill(1) }),
      ...(this.modelInputNames.includes("tokenTypeIds") && { tokenTypeIds }),
    };
  }

  /** `encode` for many rows. */
  encodeBatch(rows: readonly TextOrPair[], options: EncodeOptions = {}): Encoding[] {
    return rows.map((row) =>
      typeof row === "string" ? this.encode(row, undefined, options) : this.encode(row[0], row[1], options),
    );
  }

  /**
   * Stacks encodings into int32 tensors [batch, sequence] (sequence: the longest row, or as `options` say).
   * @throws GraftError `invalid-tokenizer` if rows must be padded and there is no pad token.
   */
  padBatch(encodings: readonly Encoding[], options: PaddingOptions = {}): PaddedBatch {
    if (
      this.padTokenId === undefined &&
      encodings.some(({ inputIds }) => inputIds.length !== encodings[0]?.inputIds.length)
    ) {
      throw new GraftError(
        "invalid-tokenizer",
        "rows of different lengths need a pad token, and this tokenizer has none",
        'Name one: Tokenizer.fromFolder(folder, { padToken: "<|endoftext|>" }).',
      );
    }
    const tokens = { padTokenId: this.padTokenId ?? 0, padTokenTypeId: this.padTokenTypeId, side: this.paddingSide };
    return padEncodings(encodings, this.modelInputNames, tokens, options);
  }

  /** Text of token ids, for reading along. */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    return ids.length === 0 ? "" : this.stages.decode(Array.from(ids), { skip_special_tokens: skipSpecialTokens });
  }

  private idsOf(text: string): number[] {
    if (typeof text !== "string") {
      throw new GraftError("invalid-argument", `${String(text)} is no text to tokenise`, "Give strings.");
    }
    const pieces = this.stages.encode(text.replace(/\p{Surrogate}/gu, "\ufffd"), { add_special_tokens: false }).ids;
    const ids = this.unknownId === undefined ? pieces : pieces.map((id) => id ?? this.unknownId);
    if (!ids.every((id) => id !== undefined)) {
      throw new GraftError(
        "invalid-token",
        `the text "${text.slice(0, 60)}" holds a piece that the vocabulary lacks, and the tokenizer has no unknown token`,
        "Use a tokenizer with an unknown token or a byte-level one.",
      );
    }
    return ids;
  }
}

/** Stages that tokenizer.json may leave out. */
const absentStages = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };

const bareTemplate: Template = {
  single: [{ source: "first", tokenType: 0 }],
  pair: [
    { source: "first", tokenType: 0 },
    { source: "second", tokenType: 1 },
  ],
};

function strategyOf({ truncation, maxLength }: EncodeOptions): TruncationStrategy {
  if (typeof truncation === "string") {
    if (truncationStrategies.includes(truncation)) return truncation;
    throw new GraftError(
      "invalid-argument",
      `there is no truncation strategy ${JSON.stringify(truncation)}`,
      `Take true, false, or one of ${truncationStrategies.join(", ")}.`,
    );
  }
  return (truncation ?? maxLength !== undefined) ? "longest_first" : "do_not_truncate";
}

function largest(values: Iterable<number>): number {
  let max = -1;
  for (const value of values) max = Math.max(max, value);
  return max;
}
