import { GraftError } from "../../errors.js";
import type { Encoding } from "../tokenizing/padding.js";
import type { Tokenizer } from "../tokenizing/tokenizer.js";

/** A tokenised sentence of given words. */
export interface WordEncoding extends Encoding {
  /** For each token the word that it is part of; null for special tokens. */
  readonly wordIds: readonly (number | null)[];
}

const bare = { addSpecialTokens: false } as const;

/** Where the text's tokens begin among the special ones: found with a text that has tokens. */
function tokensBefore(tokenizer: Tokenizer, probe: string): number {
  const inner = tokenizer.encode(probe, undefined, bare).inputIds;
  const outer = tokenizer.encode(probe).inputIds;
  for (let start = 0; start + inner.length <= outer.length; start++) {
    if (inner.every((id, i) => outer[start + i] === id)) return start;
  }
  return 0;
}

/**
 * Token ids of a sentence that is cut into words already, each word tokenised by itself, with special tokens.
 * @param options.maxLength tokens of a row, special ones included; words that do not fit are cut off at the end
 * @throws GraftError `invalid-argument` if `maxLength` has no room for the special tokens
 */
export function encodeWords(
  tokenizer: Tokenizer,
  words: readonly string[],
  { maxLength = tokenizer.modelMaxLength }: { readonly maxLength?: number } = {},
): WordEncoding {
  const special = tokenizer.encode("").inputIds;
  const room = (maxLength ?? Number.POSITIVE_INFINITY) - special.length;
  if (room < 0) {
    throw new GraftError(
      "invalid-argument",
      `maxLength ${maxLength} is less than the ${special.length} special tokens of a row`,
      "Use a larger maxLength.",
    );
  }
  const pieces = words.map((word) => tokenizer.encode(word, undefined, bare).inputIds);
  const ids = pieces.flatMap((piece) => [...piece]).slice(0, room);
  const wordIds = pieces.flatMap((piece, word) => Array.from(piece, () => word)).slice(0, room);
  const probe = words[pieces.findIndex(({ length }) => length > 0)];
  const before = probe === undefined ? special.length : tokensBefore(tokenizer, probe);
  const after = special.length - before;
  return {
    inputIds: Int32Array.from([...special.subarray(0, before), ...ids, ...special.subarray(before)]),
    wordIds: [...Array<null>(before).fill(null), ...wordIds, ...Array<null>(after).fill(null)],
  };
}
