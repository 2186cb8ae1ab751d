import { GraftError } from "../../../errors.js";
import { isJsonObject, type JsonObject } from "../../../json.js";
import type { Piece, SentencePieceModel } from "../sentence-piece.js";
import type { ClassName } from "./resolve-class.js";
import type { SpecialTokenName } from "./special-tokens.js";

/** A model stage made of a SentencePiece model's pieces. */
export interface PieceVocabulary {
  /** [piece, score] pairs of a Unigram model, or {piece: id} of BPE. */
  readonly vocab: JsonObject | (readonly [string, number])[];
  readonly merges: readonly (readonly [string, string])[];
}

type Scored = readonly [string, number];
type TokenOf = (name: SpecialTokenName) => string;

const scored = (pieces: readonly Piece[]): Scored[] => pieces.map(({ text, score }) => [text, score]);
const named = (...texts: string[]): Scored[] => texts.map((text) => [text, 0]);

function unigram(arranged: (pieces: readonly Piece[], token: TokenOf, config: JsonObject) => Scored[]) {
  return (pieces: readonly Piece[], token: TokenOf, config: JsonObject): PieceVocabulary => ({
    vocab: arranged(pieces, token, config),
    merges: [],
  });
}

/** BPE's pieces are merged in the order of the vocabulary: each of two parts that are pieces, the shorter left one first. */
function bpe(pieces: readonly Piece[]): PieceVocabulary {
  const ids = new Map(pieces.map(({ text }, id) => [text, id]));
  const merges: [string, string][] = [];
  for (const piece of [...ids.keys()].sort((a, b) => (ids.get(a) as number) - (ids.get(b) as number))) {
    let left = "";
    for (const character of piece) {
      const right = piece.slice(left.length);
      if (left !== "" && ids.has(left) && ids.has(right)) merges.push([left, right]);
      left += character;
    }
  }
  return { vocab: Object.fromEntries(ids), merges };
}

const usualExtraIds = 100;

/** How transformers' classes put the pieces of a model in the order of their ids. */
const arrangements: {
  readonly [C in ClassName]?: (pieces: readonly Piece[], token: TokenOf, config: JsonObject) => PieceVocabulary;
} = {
  CamembertTokenizer: unigram((pieces, token) => [
    ...named("<s>NOTUSED", token("pad_token"), "</s>NOTUSED", token("unk_token")),
    ["<unk>NOTUSED", -100],
    ...scored(pieces.slice(1)),
    ...named(token("mask_token")),
  ]),
  DebertaV2Tokenizer: unigram(scored),
  GemmaTokenizer: bpe,
  LlamaTokenizer: bpe,
  T5Tokenizer: unigram((pieces, _token, { extra_ids: given }) => {
    const count = typeof given === "number" ? given : usualExtraIds;
    const extra = Array.from({ length: count }, (_, index) => `<extra_id_${count - 1 - index}>`);
    return [...scored(pieces), ...named(...extra)];
  }),
  XLMRobertaTokenizer: unigram((pieces, token) => [
    ...named(token("bos_token"), token("pad_token"), token("eos_token"), token("unk_token")),
    ...scored(pieces.slice(3)),
    ...named(token("mask_token")),
  ]),
};

/**
 * The vocabulary that a class makes of a SentencePiece model.
 * @throws GraftError `unsupported` for a class that reads none, or whose order of pieces is not known here
 */
export function pieceVocabulary(
  { pieces }: SentencePieceModel,
  className: ClassName,
  token: TokenOf,
  config: JsonObject,
): PieceVocabulary {
  const arrange = arrangements[className];
  if (arrange) return arrange(pieces, token, config);
  throw new GraftError(
    "unsupported",
    `the tokenizer class ${className} is not made from a SentencePiece model here`,
    `Classes that are: ${Object.keys(arrangements).join(", ")}. For others, AutoTokenizer.from_pretrained(...).save_pretrained(folder) in Python writes tokenizer.json.`,
  );
}

/** Pieces of BPE that added_tokens_decoder names otherwise, which stand for tokens to come, take those names. */
function renamed(vocab: JsonObject, decoder: unknown): JsonObject {
  if (!isJsonObject(decoder)) return vocab;
  const ids = new Map(Object.entries(vocab));
  const texts = new Map([...ids].map(([text, id]) => [Number(id), text]));
  for (const [id, value] of Object.entries(decoder)) {
    const [text, name] = [texts.get(Number(id)), isJsonObject(value) ? value.content : undefined];
    if (text === undefined || typeof name !== "string" || ids.has(name)) continue;
    ids.delete(text);
    ids.set(name, Number(id));
    texts.set(Number(id), name);
  }
  return Object.fromEntries(ids);
}

/** The tokenizer.json that transformers makes of a SentencePiece model where no class says how. */
export function plainTokenizer(model: SentencePieceModel, config: JsonObject): JsonObject {
  const { pieces, type, byteFallback, unknown, charsMap } = model;
  const spaces = { type: "Replace", pattern: { String: "▁" }, content: " " };
  const { vocab, merges } = bpe(pieces);
  const stage: JsonObject =
    type === "unigram"
      ? { type: "Unigram", vocab: scored(pieces), unk_id: unknown.id, byte_fallback: byteFallback }
      : {
          type: "BPE",
          vocab: renamed(vocab as JsonObject, config.added_tokens_decoder),
          merges,
          unk_token: unknown.text,
          fuse_unk: true,
          byte_fallback: byteFallback,
        };
  return {
    model: stage,
    normalizer: {
      type: "Sequence",
      normalizers: [
        ...(charsMap ? [{ type: "Precompiled", precompiled_charsmap: base64(charsMap) }] : []),
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    decoder: {
      type: "Sequence",
      decoders: [spaces, ...(byteFallback ? [{ type: "ByteFallback" }, { type: "Fuse" }] : [])],
    },
  };
}

/** The special tokens that a model names, where the files name none. */
export function namedPieces({ unknown, beginning, end }: SentencePieceModel): JsonObject {
  const all = { bos_token: beginning, eos_token: end, unk_token: unknown };
  return Object.fromEntries(Object.entries(all).flatMap(([name, { id, text }]) => (id < 0 ? [] : [[name, text]])));
}

export function base64(bytes: Uint8Array): string {
  let characters = "";
  for (const byte of bytes) characters += String.fromCharCode(byte);
  return btoa(characters);
}
