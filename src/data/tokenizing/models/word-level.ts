import type { StageConfig } from "../stages/config.js";
import { type Model, noUnknownToken, readVocabulary } from "./model.js";

/** Whole words. */
export function wordLevel(config: StageConfig): Model {
  const vocabulary = readVocabulary(config);
  const unknown = vocabulary.get(config.get("unk_token", "string"));
  return {
    vocabulary,
    tokenize(word) {
      const id = vocabulary.get(word) ?? unknown;
      if (id === undefined) throw noUnknownToken(word);
      return [id];
    },
  };
}
