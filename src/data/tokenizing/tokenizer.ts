import { GraftError, messageOf } from "../../errors.js";
import type { HubOptions } from "../../hub/index.js";
import { type ChatTemplates, chatTemplatesOf, chooseTemplate } from "../chat/choose-template.js";
import type { ChatMessage } from "../chat/messages.js";
import { renderChat } from "../chat/render-chat.js";
import { requireCount } from "../require-count.js";
import { type BuiltTokenizer, buildPipeline } from "./build-pipeline.js";
import type { ApplyChatTemplateOptions, ChatEncoding } from "./chat-encoding.js";
import { classTable } from "./classes/class-table.js";
import { type ClassName, classToSave } from "./classes/resolve-class.js";
import type { SpecialTokenName } from "./classes/special-tokens.js";
import { cleanUpTokenization } from "./clean-up.js";
import { markTokens } from "./mark-tokens.js";
import type { DecodeOptions, EncodeOptions, TextOrPair, TokenizerOptions, WordEncoding } from "./options.js";
import { type Encoding, type PaddedBatch, type PaddingOptions, padEncodings, type TextInputName } from "./padding.js";
import type { Pipeline } from "./pipeline.js";
import { saveTokenizerFiles } from "./save-tokenizer.js";
import { applyTemplate, specialTokenCount, type TextTokens, withoutSpecialTokens } from "./template.js";
import type { Span } from "./token-places.js";
import { inputNamesInFiles, readTokenizerFiles, section, type TokenizerFiles, textField } from "./tokenizer-files.js";
import { type TruncationSide, truncate, truncationStrategyOf } from "./truncation.js";

/** The special tokens that a tokenizer may have, by their texts. */
export type SpecialTokenTexts = { readonly [N in SpecialTokenName]?: string };

/**
 * The tokenizer that transformers' AutoTokenizer makes of a folder, giving the same token ids: the class decides about
 * stages and special tokens, tokenizer.json about the vocabulary (docs/tokenizers.md). What cannot be done exactly is
 * refused. Unpaired surrogates, which Python strings cannot pass on, count as U+FFFD.
 */
export class Tokenizer {
  /** transformers' class, undefined where tokenizer.json counts as it is (PreTrainedTokenizerFast). */
  readonly tokenizerClass: ClassName | undefined;
  /** The tensors that `encode` and `padBatch` give. */
  readonly modelInputNames: readonly TextInputName[];
  /** Texts of `cls_token`, `pad_token`, ...; those of the class where the files name none. */
  readonly specialTokens: SpecialTokenTexts;
  /** Undefined where the tokenizer has no pad token. */
  readonly padTokenId: number | undefined;
  /** Ids are below this number (added tokens included). */
  readonly vocabSize: number;
  /** `model_max_length` of tokenizer_config.json; undefined if it is missing or "very large". */
  readonly modelMaxLength: number | undefined;
  /** By name; empty where the tokenizer has none. */
  readonly chatTemplates: ChatTemplates;
  private readonly pipeline: Pipeline;
  /** Where `padBatch` fills rows up. */
  readonly paddingSide: "right" | "left";
  private readonly truncationSide: TruncationSide;
  /** The parsed vocabulary is not kept beside its text. */
  private readonly files: TokenizerFiles;

  private constructor(
    { className, pipeline, specialTokens }: BuiltTokenizer,
    files: TokenizerFiles,
    private readonly options: TokenizerOptions,
  ) {
    const { config } = files;
    const ofClass = className && classTable[className];
    this.files = files.texts ? { ...files, tokenizer: {} } : files;
    this.tokenizerClass = className;
    this.pipeline = pipeline;
    this.specialTokens = specialTokens;
    this.chatTemplates = chatTemplatesOf(config, files.chatTemplates);
    const listed = Array.isArray(config.model_input_names) ? config.model_input_names : undefined;
    this.modelInputNames = options.modelInputNames ??
      listed?.flatMap((name) => inputNamesInFiles[String(name)] ?? []) ??
      ofClass?.inputs ?? ["inputIds", "attentionMask"];
    this.padTokenId = specialTokens.pad_token === undefined ? undefined : this.idOf(specialTokens.pad_token);
    this.vocabSize = pipeline.idLimit;
    const maxLength = config.model_max_length ?? config.max_len;
    this.modelMaxLength = typeof maxLength === "number" && maxLength < 1e9 ? maxLength : undefined;
    const padding = sideOf(config.padding_side ?? section(files, "padding").direction, "padding_side");
    this.paddingSide = padding ?? ofClass?.paddingSide ?? "right";
    const truncation = config.truncation_side ?? section(files, "truncation").direction;
    this.truncationSide = sideOf(truncation, "truncation_side") ?? "right";
  }

  /**
   * Reads tokenizer.json (or vocab.txt, or vocab.json and merges.txt, or a SentencePiece model), tokenizer_config.json, special_tokens_map.json,
   * added_tokens.json, and from config.json which class is the model's.
   * @throws GraftError `file-not-found`, `invalid-json`, `invalid-tokenizer`, `unsupported`.
   */
  static async fromFolder(folder: string, options: TokenizerOptions & HubOptions = {}): Promise<Tokenizer> {
    return Tokenizer.fromFiles(await readTokenizerFiles(folder, options), options, folder);
  }

  /** The same from parsed files. `name` stands in error messages. */
  static fromFiles(files: TokenizerFiles, options: TokenizerOptions = {}, name = "the tokenizer"): Tokenizer {
    try {
      return new Tokenizer(buildPipeline(files, options.padToken), files, options);
    } catch (error) {
      if (error instanceof GraftError) {
        const { option } = error;
        throw new GraftError(error.code, `${name}: ${error.message}`, error.hint, { ...(option && { option }) });
      }
      throw new GraftError(
        "invalid-tokenizer",
        `${name}: the tokenizer cannot be used: ${messageOf(error)}`,
        "tokenizer.json is damaged: fetch it again, or save it with a current transformers.",
        { cause: error },
      );
    }
  }

  /**
   * Writes the files that the tokenizer was made from, which transformers loads. `padToken` and `modelInputNames`, where
   * they were given, go into tokenizer_config.json, as does a class that only the model's config.json names.
   * @param folder created where it is missing; each file is written whole or not at all
   * @throws GraftError `file-access`, `disk-full`
   */
  savePretrained(folder: string): Promise<void> {
    const tokenizerClass = classToSave(textField(this.files.config, "tokenizer_class"), this.tokenizerClass);
    return saveTokenizerFiles(folder, this.files, { ...this.options, tokenizerClass });
  }

  /** The id of a token. @throws GraftError `invalid-token` if the vocabulary lacks it. */
  idOf(token: string): number {
    const id = this.pipeline.added.idOf(token);
    if (id !== undefined) return id;
    throw new GraftError(
      "invalid-token",
      `the tokenizer's vocabulary has no token "${token}"`,
      "Use a token that tokenizer.json lists.",
    );
  }

  /**
   * Token ids of a text or a pair, with special tokens.
   * @throws GraftError `invalid-argument` if `maxLength` has no room for the special tokens, for an unknown strategy and
   *   for what is no text; `invalid-token` for a piece that the vocabulary lacks, where there is no unknown token.
   */
  encode(text: string, pair?: string, options: EncodeOptions = {}): Encoding {
    const first = { ids: this.idsOf(text) };
    const second = pair === undefined ? undefined : { ids: this.idsOf(pair) };
    const { inputIds, tokenTypeIds } = this.assemble(first, second, options);
    return this.named(inputIds, tokenTypeIds);
  }

  /**
   * The same for a text, or a pair of texts, that is split into words already, as transformers'
   * `is_split_into_words=True`: `wordIds` says which word each token belongs to.
   * RoBERTa and GPT-2 need `add_prefix_space` true in tokenizer_config.json for words to be as they are in texts.
   */
  encodeWords(words: readonly string[], pairWords?: readonly string[], options: EncodeOptions = {}): WordEncoding {
    const second = pairWords && this.tokensOfWords(pairWords);
    const { inputIds, tokenTypeIds, wordIds } = this.assemble(this.tokensOfWords(words), second, options);
    return { ...this.named(inputIds, tokenTypeIds), wordIds };
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
        `Name one that the vocabulary has with padToken (e.g. ${JSON.stringify(this.specialTokens.eos_token ?? "[PAD]")}), or as "pad_token" in tokenizer_config.json.`,
        { option: "padToken" },
      );
    }
    const tokens = { padTokenId: this.padTokenId ?? 0, side: this.paddingSide };
    return padEncodings(encodings, this.modelInputNames, tokens, options);
  }

  /** Tokens as the vocabulary has them; "" for ids that no token has. */
  convertIdsToTokens(ids: ArrayLike<number>): string[] {
    return Array.from(ids, (id) => this.pipeline.tokenOf(id) ?? "");
  }

  /** Text of token ids. Ids that no token has are left out. */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false, cleanUpTokenizationSpaces }: DecodeOptions = {}): string {
    const { config } = this.files;
    const text = this.pipeline.decode(Array.from(ids), skipSpecialTokens);
    const wanted = cleanUpTokenizationSpaces ?? config.clean_up_tokenization_spaces === true;
    const forBpe = config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true;
    return wanted && (forBpe || this.pipeline.modelType !== "BPE") ? cleanUpTokenization(text) : text;
  }

  /**
   * A chat in the words of the model's chat template, as transformers' `apply_chat_template`: no special tokens but the
   * template's own.
   * @throws GraftError `invalid-tokenizer` without a template or for one that is broken, `invalid-argument` for messages that
   *   the template refuses, `unsupported` for what it asks in vain, and for spans that tokens cannot be told of
   */
  applyChatTemplate(
    messages: readonly ChatMessage[],
    options: ApplyChatTemplateOptions & { readonly tokenize: false },
  ): string;
  applyChatTemplate(messages: readonly ChatMessage[], options?: ApplyChatTemplateOptions): ChatEncoding;
  applyChatTemplate(
    messages: readonly ChatMessage[],
    { tokenize = true, truncation = false, maxLength, ...options }: ApplyChatTemplateOptions = {},
  ): string | ChatEncoding {
    const template = chooseTemplate(this.chatTemplates, options.chatTemplate, options.tools !== undefined);
    const { text, generated } = renderChat(template, messages, this.specialTokens, options);
    if (!tokenize) return text;
    const length = maxLength === undefined ? {} : { maxLength };
    const encoding = this.encode(text, undefined, { addSpecialTokens: false, truncation, ...length });
    if (!options.returnAssistantTokensMask) return encoding;
    const mask = this.markTokens(text, generated);
    const end = encoding.inputIds.length;
    return { ...encoding, assistantMasks: this.truncationSide === "left" ? mask.slice(-end) : mask.slice(0, end) };
  }

  /**
   * 1 for each token of a text, without special tokens around it, that stands for some of what the spans hold.
   * @throws GraftError `unsupported` where the tokens do not spell the text and a span's edge is none between tokens
   */
  markTokens(text: string, spans: readonly Span[]): Int32Array {
    return markTokens(this.pipeline, this.specialTokens.unk_token, text.replace(/\p{Surrogate}/gu, "\ufffd"), spans);
  }

  /** Cuts tokens to length and puts special tokens around them. */
  private assemble(first: TextTokens, second: TextTokens | undefined, options: EncodeOptions) {
    const { template } = this.pipeline;
    const { single, pair } = (options.addSpecialTokens ?? true) ? template : withoutSpecialTokens(template);
    const parts = second === undefined ? single : pair;
    const maxLength = options.maxLength ?? this.modelMaxLength;
    requireCount("maxLength", maxLength);
    const strategy = truncationStrategyOf(options);
    if (strategy === "do_not_truncate" || maxLength === undefined) return applyTemplate(parts, first, second);
    const budget = maxLength - specialTokenCount(parts);
    if (budget < 0) {
      throw new GraftError(
        "invalid-argument",
        `maxLength ${maxLength} is less than the ${specialTokenCount(parts)} special tokens of a row`,
        "Use a larger maxLength.",
      );
    }
    const cut = truncate(first, second, budget, strategy, this.truncationSide);
    return applyTemplate(parts, cut.first, cut.second);
  }

  private named(inputIds: Int32Array, tokenTypeIds: Int32Array): Encoding {
    return {
      inputIds,
      ...(this.modelInputNames.includes("attentionMask") && { attentionMask: new Int32Array(inputIds.length).fill(1) }),
      ...(this.modelInputNames.includes("tokenTypeIds") && { tokenTypeIds }),
    };
  }

  private idsOf(text: string): number[] {
    if (typeof text !== "string") {
      throw new GraftError("invalid-argument", `${String(text)} is no text to tokenise`, "Give strings.");
    }
    return this.pipeline.ids(text.replace(/\p{Surrogate}/gu, "\ufffd"));
  }

  private tokensOfWords(texts: readonly string[]): TextTokens {
    const ids: number[] = [];
    const words: number[] = [];
    texts.forEach((text, word) => {
      for (const id of this.idsOf(text)) {
        ids.push(id);
        words.push(word);
      }
    });
    return { ids, words };
  }
}

/** A side as files have it, in either letter case. */
function sideOf(value: unknown, name: string): "right" | "left" | undefined {
  if (value === undefined || value === null) return undefined;
  const side = String(value).toLowerCase();
  if (side === "right" || side === "left") return side;
  throw new GraftError(
    "invalid-tokenizer",
    `"${name}" of tokenizer_config.json is ${JSON.stringify(value)}`,
    'Write "right" or "left".',
  );
}
