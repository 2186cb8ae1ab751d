import type { JsonObject } from "../../../json.js";
import { StageConfig } from "../stages/config.js";
import { bpe } from "./bpe.js";
import type { Model } from "./model.js";
import { unigram } from "./unigram.js";
import { wordLevel } from "./word-level.js";
import { wordPiece } from "./word-piece.js";

const kinds: { readonly [type: string]: (config: StageConfig) => Model } = {
  BPE: bpe,
  Unigram: unigram,
  WordLevel: wordLevel,
  WordPiece: wordPiece,
};

/** A model's type; files from before models had one are told by their fields in the Rust library's order. */
export function modelType(model: JsonObject): string {
  if (typeof model.type === "string") return model.type;
  if (model.merges !== undefined) return "BPE";
  if (model.max_input_chars_per_word !== undefined) return "WordPiece";
  return Array.isArray(model.vocab) ? "Unigram" : "WordLevel";
}

/** @throws GraftError `unsupported`, `invalid-tokenizer` */
export function makeModel(model: JsonObject): Model {
  const config = new StageConfig({ ...model, type: modelType(model) }, "model");
  return config.pick(kinds)(config);
}
