import type { StageConfig } from "../stages/config.js";
import { type Model, noUnknownToken, readVocabulary } from "./model.js";

/** Words that are remembered. */
const CACHE = 20_000;

/** BERT's model: the longest pieces from the left, or the unknown token for the whole word. */
export function wordPiece(config: StageConfig): Model {
  const vocabulary = readVocabulary(config);
  const unknown = vocabulary.get(config.get("unk_token", "string"));
  const prefix = config.get("continuing_subword_prefix", "string");
  const longest = config.get("max_input_chars_per_word", "count");
  const known = new Map<string, readonly number[]>();

  const pieces = (word: string): number[] | undefined => {
    if (word.length > longest && Array.from(word).length > longest) return undefined;
    const ids: number[] = [];
    for (let start = 0; start < word.length; ) {
      let end = word.length;
      let id: number | undefined;
      while (end > start) {
        const piece = word.slice(start, end);
        id = vocabulary.get(start === 0 ? piece : prefix + piece);
        if (id !== undefined) break;
        end -= end - start > 1 && isLowSurrogate(word.charCodeAt(end - 1)) ? 2 : 1;
      }
      if (id === undefined) return undefined;
      ids.push(id);
      start = end;
    }
    return ids;
  };

  return {
    vocabulary,
    tokenize(word) {
      let ids = known.get(word);
      if (ids) return ids;
      const found = pieces(word) ?? (unknown === undefined ? undefined : [unknown]);
      if (!found) throw noUnknownToken(word);
      ids = found;
      if (known.size < CACHE) known.set(word, ids);
      return ids;
    },
  };
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
