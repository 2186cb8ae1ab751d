import { PbfReader } from "pbf";
import { GraftError, messageOf } from "../../errors.js";

/** What SentencePiece's ModelProto says of a piece's kind: 3 and 4 are found in texts before they are cut into pieces. */
export type PieceKind = "control" | "user-defined" | "other";

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly kind: PieceKind;
}

/** What a SentencePiece model file holds, as far as transformers reads it. */
export interface SentencePieceModel {
  readonly pieces: readonly Piece[];
  /** Id of the piece for what is unknown. */
  readonly unknownId: number;
  /** Rules of its normaliser (a Precompiled stage's), if it has any. */
  readonly charsMap: Uint8Array | undefined;
}

const kinds: { readonly [type: number]: PieceKind } = { 3: "control", 4: "user-defined" };

type Fields<T> = { readonly [field: number]: (into: T, pbf: PbfReader) => void };

const read = <T>(fields: Fields<T>, into: T, pbf: PbfReader): T =>
  pbf.readMessage((field, target, reader) => fields[field]?.(target, reader), into);

interface MutablePiece {
  text: string;
  score: number;
  kind: PieceKind;
}

interface MutableModel {
  pieces: MutablePiece[];
  unknownId: number;
  charsMap: Uint8Array | undefined;
}

const pieceFields: Fields<MutablePiece> = {
  1: (piece, pbf) => {
    piece.text = pbf.readString();
  },
  2: (piece, pbf) => {
    piece.score = pbf.readFloat();
  },
  3: (piece, pbf) => {
    piece.kind = kinds[pbf.readVarint()] ?? "other";
  },
};

const trainerFields: Fields<MutableModel> = {
  40: (model, pbf) => {
    model.unknownId = pbf.readVarint(true);
  },
};

const normalizerFields: Fields<MutableModel> = {
  2: (model, pbf) => {
    const bytes = pbf.readBytes();
    model.charsMap = bytes.length > 0 ? bytes : undefined;
  },
};

const modelFields: Fields<MutableModel> = {
  1: (model, pbf) => {
    model.pieces.push(read(pieceFields, { text: "", score: 0, kind: "other" }, pbf));
  },
  2: (model, pbf) => void read(trainerFields, model, pbf),
  3: (model, pbf) => void read(normalizerFields, model, pbf),
};

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
  const model: MutableModel = { pieces: [], unknownId: 0, charsMap: undefined };
  try {
    new PbfReader(bytes).readFields((field, into, pbf) => modelFields[field]?.(into, pbf), model);
  } catch (error) {
    throw invalid(messageOf(error), error);
  }
  if (model.pieces.length === 0) throw invalid("it has no pieces");
  if (model.pieces.some(({ text, score }) => text === "" || !Number.isFinite(score))) {
    throw invalid("a piece has no text, or a score that is no number");
  }
  return model;
}
