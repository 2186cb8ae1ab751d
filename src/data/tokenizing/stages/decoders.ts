import { cleanUpTokens } from "../clean-up.js";
import { fromByteLevel, utf8 } from "./byte-level.js";
import type { StageConfig } from "./config.js";
import { patternOf } from "./pattern-config.js";
import { regexPattern } from "./pieces.js";
import { prependScheme } from "./pre-tokenizers.js";

/** Turns tokens into the parts of a text. */
export type Decoder = (tokens: readonly string[]) => string[];

function wordPiece(config: StageConfig): Decoder {
  const prefix = config.get("prefix", "string");
  const clean = config.get("cleanup", "boolean") ? cleanUpTokens : (text: string) => text;
  return (tokens) =>
    tokens.map((token, i) =>
      clean(i === 0 ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`),
    );
}

function byteLevel(tokens: readonly string[]): string[] {
  const parts = tokens.map(fromByteLevel);
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return [utf8(bytes)];
}

function metaspace(config: StageConfig): Decoder {
  const replacement = config.character("replacement");
  const prepends = prependScheme(config) !== "never";
  return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && prepends ? "" : " "));
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Runs of tokens like <0x0A> become the text of their bytes, or one U+FFFD each where they are no UTF-8. */
function byteFallback(tokens: readonly string[]): string[] {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = () => {
    if (bytes.length === 0) return;
    try {
      out.push(strictUtf8.decode(Uint8Array.from(bytes)));
    } catch {
      out.push(...bytes.map(() => "\ufffd"));
    }
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x(\+?[0-9a-fA-F]{1,2})>$/.exec(token);
    if (byte && token.length === 6) {
      bytes.push(Number.parseInt(byte[1]!.replace("+", ""), 16));
    } else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
}

function bpe(config: StageConfig): Decoder {
  const suffix = config.get("suffix", "string");
  return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
}

function strip(config: StageConfig): Decoder {
  const content = config.character("content");
  const start = config.get("start", "count");
  const stop = config.get("stop", "count");
  return (tokens) =>
    tokens.map((token) => {
      const characters = Array.from(token);
      let from = 0;
      while (from < start && characters[from] === content) from++;
      let to = characters.length;
      while (characters.length - to < stop && to > from && characters[to - 1] === content) to--;
      return characters.slice(from, to).join("");
    });
}

function replace(config: StageConfig): Decoder {
  const pattern = regexPattern(patternOf(config));
  const content = config.get("content", "string");
  return (tokens) =>
    tokens.map((token) =>
      pattern(token)
        .map(({ start, end, matched }) => (matched ? content : token.slice(start, end)))
        .join(""),
    );
}

function ctc(config: StageConfig): Decoder {
  const pad = config.get("pad_token", "string");
  const delimiter = config.get("word_delimiter_token", "string");
  const clean = config.get("cleanup", "boolean");
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => token.replaceAll(pad, ""))
      .map((token) => (clean ? cleanUpTokens(token).replaceAll(delimiter, " ") : token))
      .filter((token) => token !== "");
}

const kinds: { readonly [type: string]: (config: StageConfig) => Decoder } = {
  BPEDecoder: bpe,
  ByteFallback: () => byteFallback,
  ByteLevel: () => byteLevel,
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join("")],
  Metaspace: metaspace,
  Replace: replace,
  Sequence: (config) => {
    const stages = config.stages("decoders").map(makeDecoder);
    return (tokens) => stages.reduce<string[]>((out, stage) => stage(out), [...tokens]);
  },
  Strip: strip,
  WordPiece: wordPiece,
};

/** @throws GraftError `unsupported`, `invalid-tokenizer` */
export function makeDecoder(config: StageConfig): Decoder {
  return config.pick(kinds)(config);
}
