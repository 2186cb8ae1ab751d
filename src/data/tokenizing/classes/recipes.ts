import type { JsonObject } from "../../../json.js";
import type { ClassArguments } from "./class-arguments.js";
import type { classTable } from "./class-table.js";

/** A token's id once all are added. */
export type IdOf = (token: string) => number;

/** The stages that a tokenizer class makes, as tokenizer.json would have them. */
export interface Recipe {
  readonly model: JsonObject;
  readonly normalizer?: JsonObject;
  readonly preTokenizer: JsonObject;
  readonly decoder: JsonObject;
  /** Undefined where tokenizer.json's own counts. */
  readonly postProcessor?: (idOf: IdOf) => JsonObject;
  /** Whether the class's post-processor counts only where tokenizer.json has none. */
  readonly yields?: boolean;
}

export type MakerName = Exclude<(typeof classTable)[keyof typeof classTable]["maker"], "TokenizersBackend">;

type Piece = string | readonly [token: string, tokenType: number];

/** A TemplateProcessing: "$A" and "$B" are the texts. */
function template(single: readonly Piece[], pair: readonly Piece[]) {
  const pieces = (parts: readonly Piece[]) =>
    parts.map((part) => {
      const [id, type_id] = typeof part === "string" ? [part, 0] : part;
      return id.startsWith("$") ? { Sequence: { id: id.slice(1), type_id } } : { SpecialToken: { id, type_id } };
    });
  const names = [...single, ...pair].map((part) => (typeof part === "string" ? part : part[0]));
  return (idOf: IdOf): JsonObject => ({
    type: "TemplateProcessing",
    single: pieces(single),
    pair: pieces(pair),
    special_tokens: Object.fromEntries(
      names.filter((name) => !name.startsWith("$")).map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }]),
    ),
  });
}

const bertTemplate = (cls: string, sep: string) => template([cls, "$A", sep], [cls, "$A", sep, ["$B", 1], [sep, 1]]);
const robertaTemplate = (cls: string, sep: string) => template([cls, "$A", sep], [cls, "$A", sep, sep, "$B", sep]);

const byteLevel = (prefix = false, regex = true): JsonObject => ({
  type: "ByteLevel",
  add_prefix_space: prefix,
  trim_offsets: true,
  use_regex: regex,
});
const metaspace = (scheme: string, split = true): JsonObject => ({
  type: "Metaspace",
  replacement: "▁",
  prepend_scheme: scheme,
  split,
});
const words = (scheme: string): JsonObject => ({
  type: "Sequence",
  pretokenizers: [{ type: "WhitespaceSplit" }, metaspace(scheme)],
});
const replace = (from: string, content: string): JsonObject => ({
  type: "Replace",
  pattern: { String: from },
  content,
});
const regexReplace = (from: string, content: string): JsonObject => ({
  type: "Replace",
  pattern: { Regex: from },
  content,
});

const bpe = (args: ClassArguments, options: JsonObject = {}): JsonObject => ({
  type: "BPE",
  vocab: args.words(),
  merges: args.merges,
  ...options,
});
const unigram = (args: ClassArguments, unk_id: number): JsonObject => ({
  type: "Unigram",
  vocab: args.scores(),
  unk_id,
});

function wordPieceParts(args: ClassArguments) {
  return {
    model: {
      type: "WordPiece",
      vocab: args.words(),
      unk_token: args.token("unk_token"),
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: args.flag("tokenize_chinese_chars", true),
      strip_accents: args.optionalFlag("strip_accents", null),
      lowercase: args.flag("do_lower_case", true),
    },
    preTokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  };
}

function byteBpeParts(args: ClassArguments) {
  return {
    model: bpe(args),
    preTokenizer: byteLevel(args.flag("add_prefix_space", false)),
    decoder: byteLevel(true),
  };
}

function sentencePieceParts(args: ClassArguments, unknown: number) {
  const scheme = args.flag("add_prefix_space", true) ? "always" : "never";
  return {
    model: unigram(args, unknown),
    ...(args.charsMap !== undefined && {
      normalizer: { type: "Precompiled", precompiled_charsmap: args.charsMap } satisfies JsonObject,
    }),
    preTokenizer: words(scheme),
    decoder: metaspace(scheme),
  };
}

const qwen =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const fuseBytes = [replace("▁", " "), { type: "ByteFallback" }, { type: "Fuse" }];

/** What each class's constructor makes. */
export const recipes: { readonly [M in MakerName]: (args: ClassArguments) => Recipe } = {
  AlbertTokenizer: (args) => ({
    ...sentencePieceParts(args, 1),
    normalizer: {
      type: "Sequence",
      normalizers: [
        replace("``", '"'),
        replace("''", '"'),
        ...(args.flag("keep_accents", false) ? [] : [{ type: "NFKD" }, { type: "StripAccents" }]),
        ...(args.flag("do_lower_case", true) ? [{ type: "Lowercase" }] : []),
        ...(args.charsMap === undefined ? [] : [{ type: "Precompiled", precompiled_charsmap: args.charsMap }]),
      ],
    },
    postProcessor: bertTemplate(args.token("cls_token"), args.token("sep_token")),
    yields: true,
  }),
  BertTokenizer: (args) => ({
    ...wordPieceParts(args),
    postProcessor: bertTemplate(args.token("cls_token"), args.token("sep_token")),
  }),
  CamembertTokenizer: (args) => ({
    ...sentencePieceParts(args, args.placeOf(args.token("unk_token")) ?? 0),
    postProcessor: robertaTemplate(args.token("bos_token"), args.token("eos_token")),
  }),
  DebertaTokenizer: (args) => ({
    ...byteBpeParts(args),
    postProcessor: robertaTemplate(args.token("cls_token"), args.token("sep_token")),
  }),
  DebertaV2Tokenizer: (args) => {
    const scheme = args.flag("add_prefix_space", true) ? "always" : "first";
    const punctuation = args.flag("split_by_punct", false) ? [{ type: "Punctuation", behavior: "Isolated" }] : [];
    return {
      model: unigram(args, args.placeOf(args.token("unk_token"), 0) ?? args.count("unk_id", 1)),
      normalizer: {
        type: "Sequence",
        normalizers: [
          ...(args.flag("do_lower_case", false) ? [{ type: "Lowercase" }] : []),
          regexReplace("\\s{2,}|[\\n\\r\\t]", " "),
          { type: "NFC" },
          { type: "Strip", strip_left: false, strip_right: true },
        ],
      },
      preTokenizer: { type: "Sequence", pretokenizers: [...punctuation, metaspace(scheme)] },
      decoder: metaspace(scheme),
      postProcessor: bertTemplate(args.token("cls_token"), args.token("sep_token")),
    };
  },
  GPT2Tokenizer: byteBpeParts,
  GPTNeoXTokenizer: (args) => ({
    ...byteBpeParts(args),
    normalizer: { type: "NFC" },
    postProcessor: template(["$A"], ["$A", ["$B", 1]]),
  }),
  GemmaTokenizer: (args) => ({
    model: bpe(args, { unk_token: args.token("unk_token"), fuse_unk: true, byte_fallback: true }),
    normalizer: replace(" ", "▁"),
    preTokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
    decoder: { type: "Sequence", decoders: fuseBytes },
  }),
  LlamaTokenizer: (args) => {
    const prefix = args.optionalFlag("add_prefix_space", null) ?? true;
    const scheme = !prefix ? "never" : args.flag("legacy", false) ? "always" : "first";
    const strip = prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [];
    return {
      model: bpe(args, { fuse_unk: true, byte_fallback: true }),
      preTokenizer: metaspace(scheme, false),
      decoder: { type: "Sequence", decoders: [...fuseBytes, ...strip] },
    };
  },
  MPNetTokenizer: (args) => ({
    ...wordPieceParts(args),
    postProcessor: robertaTemplate(args.token("cls_token"), args.token("sep_token")),
  }),
  Qwen2Tokenizer: (args) => ({
    model: bpe(args),
    normalizer: { type: "NFC" },
    preTokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: qwen }, behavior: "Isolated", invert: false },
        byteLevel(args.flag("add_prefix_space", false), false),
      ],
    },
    decoder: byteLevel(true),
  }),
  RobertaTokenizer: (args) => ({
    ...byteBpeParts(args),
    postProcessor: robertaTemplate(args.token("cls_token"), args.token("sep_token")),
  }),
  T5Tokenizer: (args) => ({
    ...sentencePieceParts(args, 2),
    preTokenizer: words("always"),
    decoder: metaspace("always"),
    postProcessor: template(["$A", "</s>"], ["$A", "</s>", "$B", "</s>"]),
  }),
  XLMRobertaTokenizer: (args) => ({
    ...sentencePieceParts(args, 3),
    postProcessor: robertaTemplate(args.token("bos_token"), args.token("eos_token")),
  }),
};

/** Special tokens that a class has beside the named ones. */
export const extraTokens: { readonly [M in MakerName]?: readonly string[] } = {
  CamembertTokenizer: ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
  T5Tokenizer: Array.from({ length: 100 }, (_, i) => `<extra_id_${i}>`),
};

/** What `add_bos_token` and `add_eos_token` put around texts, where there is no tokenizer.json. */
export function bosEosTemplate(bos: string | undefined, eos: string | undefined): (idOf: IdOf) => JsonObject {
  const single = [...(bos === undefined ? [] : [bos]), "$A", ...(eos === undefined ? [] : [eos])];
  const second = single.map((part): Piece => [part === "$A" ? "$B" : part, 1]);
  return template(single, [...single, ...second]);
}
