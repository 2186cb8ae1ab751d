import { difference, union } from "../regex/code-points.js";
import { translateRegex } from "../regex/translate.js";
import { CharacterClass, decodePartition, decodeRanges } from "../unicode/character-class.js";
import { generalCategories, unicodeSet } from "../unicode/classes.js";
import { unicodePartitions, unicodeSets } from "../unicode/tables.js";
import { toByteLevel } from "./byte-level.js";
import { invalid, type StageConfig } from "./config.js";
import { patternOf } from "./pattern-config.js";
import {
  characterPattern,
  inverted,
  type Match,
  type Pattern,
  type Piece,
  regexPattern,
  type SplitBehavior,
  slicePiece,
  splitBehaviors,
  splitPiece,
} from "./pieces.js";

export type PreTokenizer = (piece: Piece) => Piece[];

const split =
  (pattern: Pattern, behavior: SplitBehavior): PreTokenizer =>
  (piece) =>
    splitPiece(piece, pattern, behavior);

/** White space vanishes, each punctuation character stands alone. */
function bert(): PreTokenizer {
  const space = unicodeSet("whiteSpace");
  const punctuation = unicodeSet("punctuation");
  return (piece) => {
    const { text } = piece;
    const out: Piece[] = [];
    let from = 0;
    for (let i = 0; i < text.length; ) {
      const code = text.codePointAt(i)!;
      const end = i + (code > 0xffff ? 2 : 1);
      const isSpace = space.has(code);
      if (isSpace || punctuation.has(code)) {
        if (from < i) out.push(slicePiece(piece, from, i));
        if (!isSpace) out.push(slicePiece(piece, i, end));
        from = end;
      }
      i = end;
    }
    if (from < text.length) out.push(slicePiece(piece, from, text.length));
    return out;
  };
}

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function byteLevel(config: StageConfig): PreTokenizer {
  const prefix = config.get("add_prefix_space", "boolean");
  config.get("trim_offsets", "boolean");
  const words = config.get("use_regex", "boolean", true) ? regexPattern(translateRegex(gpt2)) : undefined;
  return (piece) => {
    const start = prefix && !piece.text.startsWith(" ") ? prepended(piece, " ") : piece;
    const parts = words ? splitPiece(start, words, "Isolated") : [start];
    return parts.map(({ text, origin }) => ({
      text: toByteLevel(text),
      origin: origin === 0 ? 0 : toByteLevel(text.slice(0, origin)).length,
    }));
  };
}

/** A text put before a piece belongs to where the piece begins. */
function prepended({ text, origin }: Piece, prefix: string): Piece {
  return { text: prefix + text, origin: origin === 0 ? 0 : origin + prefix.length };
}

const prependSchemes: { readonly [scheme: string]: (piece: Piece) => boolean } = {
  always: () => true,
  first: ({ origin }) => origin > 0,
  never: () => false,
};

/** `add_prefix_space` of older files counts where it is false; then a scheme other than "never" is a contradiction. */
export function prependScheme(config: StageConfig): string {
  const scheme = config.oneOf("prepend_scheme", prependSchemes, "always");
  if (config.optional("add_prefix_space", "boolean") !== false || scheme === "never") return scheme;
  throw invalid(`${config.place} Metaspace: add_prefix_space false does not go with prepend_scheme "${scheme}"`);
}

function metaspace(config: StageConfig): PreTokenizer {
  const replacement = config.character("replacement");
  const splits = config.optional("split", "boolean") ?? true;
  const prepends = prependSchemes[prependScheme(config)]!;
  const code = replacement.codePointAt(0)!;
  const words = characterPattern((codePoint) => codePoint === code);
  return (piece) => {
    const replaced: Piece = { text: piece.text.replaceAll(" ", replacement), origin: piece.origin };
    const start =
      !replaced.text.startsWith(replacement) && prepends(replaced) ? prepended(replaced, replacement) : replaced;
    return splits ? splitPiece(start, words, "MergedWithNext") : [start];
  };
}

function whitespace(): PreTokenizer {
  const word = unicodeSet("word");
  const space = unicodeSet("whiteSpace");
  const kind = (code: number) => (word.has(code) ? 1 : space.has(code) ? 0 : 2);
  return (piece) => {
    const { text } = piece;
    const out: Piece[] = [];
    let from = 0;
    let current = 0;
    for (let i = 0; i < text.length; ) {
      const code = text.codePointAt(i)!;
      const next = kind(code);
      if (next !== current) {
        if (current !== 0) out.push(slicePiece(piece, from, i));
        from = i;
        current = next;
      }
      i += code > 0xffff ? 2 : 1;
    }
    if (current !== 0) out.push(slicePiece(piece, from, text.length));
    return out;
  };
}

function digits(config: StageConfig): PreTokenizer {
  const numbers = union(...["Nd", "Nl", "No"].map((name) => generalCategories().get(name)!));
  const numeric = new CharacterClass(difference(numbers, decodeRanges(unicodeSets.numericUnlikeOniguruma)));
  const pattern = characterPattern((code) => numeric.has(code));
  return split(pattern, config.get("individual_digits", "boolean") ? "Isolated" : "Contiguous");
}

/** Texts split where the script changes. Characters without a script join what stands before them; first ones vanish. */
function unicodeScripts(): PreTokenizer {
  const scripts = [...decodePartition(unicodePartitions.unicodeScripts).values()].map((r) => new CharacterClass(r));
  return (piece) => {
    const starts: number[] = [];
    let last = -1;
    for (let i = 0; i < piece.text.length; ) {
      const code = piece.text.codePointAt(i)!;
      const script = scripts.findIndex((set) => set.has(code));
      if (script >= 0 && script !== last) {
        starts.push(i);
        last = script;
      }
      i += code > 0xffff ? 2 : 1;
    }
    return starts.map((start, k) => slicePiece(piece, start, starts[k + 1] ?? piece.text.length));
  };
}

function fixedLength(config: StageConfig): PreTokenizer {
  const length = config.get("length", "count", 5);
  if (length === 0) throw config.unsupported("length 0");
  return split((text) => {
    const out: Match[] = [];
    let start = 0;
    const characters = Array.from(text);
    for (let i = 0; i < characters.length; i += length) {
      const end = start + characters.slice(i, i + length).join("").length;
      out.push({ start, end, matched: false });
      start = end;
    }
    return out;
  }, "Isolated");
}

const kinds: { readonly [type: string]: (config: StageConfig) => PreTokenizer } = {
  BertPreTokenizer: bert,
  ByteLevel: byteLevel,
  CharDelimiterSplit: (config) => {
    const delimiter = config.character("delimiter").codePointAt(0)!;
    return split(
      characterPattern((code) => code === delimiter),
      "Removed",
    );
  },
  Digits: digits,
  FixedLength: fixedLength,
  Metaspace: metaspace,
  Punctuation: (config) => {
    const punctuation = unicodeSet("punctuation");
    return split(
      characterPattern((code) => punctuation.has(code)),
      config.oneOf("behavior", splitBehaviors, "Isolated"),
    );
  },
  Sequence: (config) => {
    const stages = config.stages("pretokenizers").map(makePreTokenizer);
    return (piece) => stages.reduce<Piece[]>((pieces, stage) => pieces.flatMap(stage), [piece]);
  },
  Split: (config) => {
    const pattern = regexPattern(patternOf(config));
    const behavior = config.oneOf("behavior", splitBehaviors);
    return split(config.get("invert", "boolean") ? inverted(pattern) : pattern, behavior);
  },
  UnicodeScripts: unicodeScripts,
  Whitespace: whitespace,
  WhitespaceSplit: () => {
    const space = unicodeSet("whiteSpace");
    return split(
      characterPattern((code) => space.has(code)),
      "Removed",
    );
  },
};

/** @throws GraftError `unsupported`, `invalid-tokenizer` */
export function makePreTokenizer(config: StageConfig): PreTokenizer {
  return config.pick(kinds)(config);
}
