import { GraftError } from "../../../errors.js";
import { invalid, type StageConfig } from "../stages/config.js";

/** The stage that turns words into ids of a vocabulary. */
export interface Model {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Ids of a word. @throws GraftError `invalid-token` where nothing stands for a piece of it */
  tokenize(word: string): readonly number[];
}

/** A vocabulary {token: id}. */
export function readVocabulary(config: StageConfig): Map<string, number> {
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(config.get("vocab", "object"))) {
    if (!Number.isSafeInteger(id)) throw invalid(`model ${config.type}: the token ${JSON.stringify(token)} has no id`);
    vocabulary.set(token, Number(id));
  }
  return vocabulary;
}

export function noUnknownToken(word: string): GraftError {
  return new GraftError(
    "invalid-token",
    `the vocabulary lacks a piece of "${word.slice(0, 60)}", and the tokenizer has no unknown token`,
    "Use a tokenizer with an unknown token or a byte-level one.",
  );
}

/** The ids of "<0x0A>" and the like for a piece's UTF-8 bytes, if all of them are tokens. */
export function byteTokens(piece: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const ids: number[] = [];
  for (const byte of new TextEncoder().encode(piece)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}

/** Pairs [token, score] of a Unigram vocabulary. */
export function readScores(config: StageConfig): [string, number][] {
  return config.get("vocab", "array").map((entry) => {
    const [token, score] = Array.isArray(entry) ? entry : [];
    if (typeof token !== "string" || typeof score !== "number")
      throw invalid("model Unigram: an entry is no [token, score]");
    return [token, score];
  });
}

/** Pairs of a merge list, as "a b" or ["a", "b"]. */
export function readMerges(config: StageConfig): [string, string][] {
  const merges = config.get("merges", "array");
  const lines = merges.filter((merge) => !(typeof merge === "string" && merge.startsWith("#version")));
  return lines.map((merge) => {
    const [a, b, more] = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
    if (typeof a !== "string" || typeof b !== "string" || more !== undefined) {
      throw invalid(`model BPE: ${JSON.stringify(merge)} is no pair to merge`);
    }
    return [a, b];
  });
}
