import { PbfReader } from "pbf";
import { GraftError, messageOf } from "../../errors.js";

/** What SentencePiece's ModelProto says of a piece: the first two are found in texts before they are cut into pieces. */
export type PieceKind = "control" | "user-defined" | "other";

export interface Piece {
  text: string;
  score: number;
  kind: PieceKind;
}

/** What a SentencePiece model file holds, as far as transformers reads it. */
export interface SentencePieceModel {
  pieces: Piece[];
  type: "unigram" | "other";
  /** Whether characters that no piece has are cut into bytes. */
  byteFallback: boolean;
  /** Id and text of special pieces; an id below 0: there is none. */
  unknown: { id: number; text: string };
  beginning: { id: number; text: string };
  end: { id: number; text: string };
  /** Rules of its normaliser (a Precompiled stage's), if it has any. */
  charsMap: Uint8Array | undefined;
}

type Fields<T> = { readonly [field: number]: (into: T, pbf: PbfReader) => void };

const message = <T>(fields: Fields<T>, into: T, pbf: PbfReader): T =>
  pbf.readMessage((field, target, reader) => fields[field]?.(target, reader), into);

const kinds: { readonly [type: number]: PieceKind } = { 3: "control", 4: "user-defined" };

const pieceFields: Fields<Piece> = {
  1: (piece, pbf) => Object.assign(piece, { text: pbf.readString() }),
  2: (piece, pbf) => Object.assign(piece, { score: pbf.readFloat() }),
  3: (piece, pbf) => Object.assign(piece, { kind: kinds[pbf.readVarint()] ?? "other" }),
};

const UNIGRAM = 1;
const NORMALIZER = 3;

const trainerFields: Fields<SentencePieceModel> = {
  3: (model, pbf) => Object.assign(model, { type: pbf.readVarint() === UNIGRAM ? "unigram" : "other" }),
  35: (model, pbf) => Object.assign(model, { byteFallback: pbf.readBoolean() }),
  40: ({ unknown }, pbf) => Object.assign(unknown, { id: pbf.readVarint(true) }),
  41: ({ beginning }, pbf) => Object.assign(beginning, { id: pbf.readVarint(true) }),
  42: ({ end }, pbf) => Object.assign(end, { id: pbf.readVarint(true) }),
  45: ({ unknown }, pbf) => Object.assign(unknown, { text: pbf.readString() }),
  46: ({ beginning }, pbf) => Object.assign(beginning, { text: pbf.readString() }),
  47: ({ end }, pbf) => Object.assign(end, { text: pbf.readString() }),
};

const normalizerFields: Fields<SentencePieceModel> = {
  2: (model, pbf) => {
    const bytes = pbf.readBytes();
    model.charsMap = bytes.length > 0 ? bytes : undefined;
  },
};

const modelFields: Fields<SentencePieceModel> = {
  1: ({ pieces }, pbf) => pieces.push(message(pieceFields, { text: "", score: 0, kind: "other" }, pbf)),
  2: (model, pbf) => message(trainerFields, model, pbf),
  [NORMALIZER]: (model, pbf) => message(normalizerFields, model, pbf),
};

/** What the format says of fields that a file leaves out. */
const emptyModel = (): SentencePieceModel => ({
  pieces: [],
  type: "unigram",
  byteFallback: false,
  unknown: { id: 0, text: "<unk>" },
  beginning: { id: 1, text: "<s>" },
  end: { id: 2, text: "</s>" },
  charsMap: undefined,
});

/**
 * Reads a SentencePiece model (`spm.model`, `tokenizer.model`), a ModelProto.
 * @param name of the file, for messages
 * @throws GraftError `invalid-tokenizer`
 */
export function readSentencePiece(bytes: Uint8Array, name: string): SentencePieceModel {
  const invalid = (why: string, cause?: unknown): GraftError =>
    new GraftError(
      "invalid-tokenizer",
      `${name} is no SentencePiece model: ${why}`,
      "Fetch it again from the model's repository; a file of some hundred bytes is a Git LFS pointer to the real one.",
      { cause },
    );
  const model = emptyModel();
  const reader = new PbfReader(bytes);
  const found = new Set<number>();
  try {
    reader.readFields((field, into, pbf) => {
      found.add(field);
      modelFields[field]?.(into, pbf);
    }, model);
  } catch (error) {
    throw invalid(messageOf(error), error);
  }
  // Pieces come first: a file that was cut has no normaliser, or a message that is longer than the rest.
  if (reader.pos > reader.length || (model.pieces.length > 0 && !found.has(NORMALIZER))) throw invalid("it ends early");
  if (model.pieces.length === 0) throw invalid("it has no pieces");
  if (model.pieces.some(({ text, score }) => text === "" || !Number.isFinite(score))) {
    throw invalid("a piece has no text, or a score that is no number");
  }
  return model;
}
