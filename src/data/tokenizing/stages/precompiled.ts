import { graphemes } from "../unicode/graphemes.js";
import { invalid } from "./config.js";

const encoder = new TextEncoder();
const printableAscii = /^[\x20-\x7e]*$/;

/** SentencePiece's compiled rules: a double-array trie over UTF-8, whose values point into texts that end with a zero. */
class CharsMap {
  private readonly trie: Uint32Array;
  private readonly texts: Uint8Array;
  private readonly known = new Map<string, string | undefined>();

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length >= 4 ? view.getUint32(0, true) : Number.NaN;
    if (!(size + 4 <= bytes.length) || size < 4) throw invalid("normalizer Precompiled: the charsmap is damaged");
    this.trie = Uint32Array.from({ length: size >> 2 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.texts = bytes.subarray(4 + 4 * (size >> 2));
  }

  /** What stands for the shortest beginning of `part` that has a rule. */
  rule(part: string): string | undefined {
    if (this.known.has(part)) return this.known.get(part);
    const start = this.find(encoder.encode(part));
    const end = start === undefined ? 0 : this.texts.indexOf(0, start);
    const text =
      start === undefined ? undefined : new TextDecoder().decode(this.texts.subarray(start, end < 0 ? undefined : end));
    this.known.set(part, text);
    return text;
  }

  private find(key: Uint8Array): number | undefined {
    const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
    let node = offset(this.unit(0));
    for (const byte of key) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = this.unit(node);
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offset(unit);
      if ((unit >>> 8) & 1) return this.unit(node) & 0x7fffffff;
    }
    return undefined;
  }

  private unit(node: number): number {
    const unit = this.trie[node];
    if (unit === undefined) throw invalid("normalizer Precompiled: the charsmap is damaged");
    return unit;
  }
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

/**
 * The normaliser that a `precompiled_charsmap` (base64) describes. As in the Rust library a rule for the beginning of a
 * grapheme of less than 6 bytes stands for the whole grapheme.
 */
export function precompiled(base64: string): (text: string) => string {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw invalid("normalizer Precompiled: the charsmap is no base64");
  }
  const map = new CharsMap(bytes);
  const changesAscii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(0x20 + i)).some(
    (c) => map.rule(c) !== undefined,
  );
  return (text) => {
    if (!changesAscii && printableAscii.test(text)) return text;
    let out = "";
    for (const grapheme of graphemes(text)) {
      const whole = utf8Length(grapheme) < 6 ? map.rule(grapheme) : undefined;
      if (whole !== undefined) out += whole;
      else for (const character of grapheme) out += map.rule(character) ?? character;
    }
    return out;
  };
}
