import { mapCharacters, printableAscii, unicodeSet } from "../unicode/classes.js";
import { lowerEach } from "../unicode/lowercase.js";
import { type NormalForm, normalForm } from "../unicode/normal-forms.js";
import { toByteLevel } from "./byte-level.js";
import type { StageConfig } from "./config.js";
import { patternOf } from "./pattern-config.js";
import { regexPattern } from "./pieces.js";
import { precompiled } from "./precompiled.js";

/** Changes a text before it is split. */
export interface Normalizer {
  apply(text: string): string;
  /** How many units of the changed text come from the first `origin` units of the text. */
  origin(text: string, origin: number): number;
}

type TextChange = (text: string) => string;

/** What changes a text character by character. */
function normalizer(apply: TextChange): Normalizer {
  return { apply, origin: (text, origin) => apply(text.slice(0, origin)).length };
}

function bertNormalizer(config: StageConfig): TextChange {
  const cleanText = config.get("clean_text", "boolean");
  const chineseCharacters = config.get("handle_chinese_chars", "boolean");
  const lowercase = config.get("lowercase", "boolean");
  const stripAccents = config.optional("strip_accents", "boolean") ?? lowercase;
  const removed = unicodeSet("removedByCleanText");
  const space = unicodeSet("spaceInCleanText");
  const chinese = unicodeSet("chineseCharacters");
  const marks = unicodeSet("nonSpacingMarks");
  return (text) => {
    if (printableAscii.test(text)) return lowercase ? text.toLowerCase() : text;
    let out = text;
    if (cleanText) {
      out = mapCharacters(out, (character, code) => (removed.has(code) ? "" : space.has(code) ? " " : character));
    }
    if (chineseCharacters) {
      out = mapCharacters(out, (character, code) => (chinese.has(code) ? ` ${character} ` : character));
    }
    if (stripAccents) {
      out = mapCharacters(normalForm(out, "NFD"), (character, code) => (marks.has(code) ? "" : character));
    }
    return lowercase ? lowerEach(out) : out;
  };
}

function strip(config: StageConfig): Normalizer {
  const left = config.get("strip_left", "boolean");
  const right = config.get("strip_right", "boolean");
  const space = unicodeSet("whiteSpace");
  const bounds = (text: string): [start: number, end: number] => {
    let start = 0;
    let end = text.length;
    while (left && start < end && space.has(text.charCodeAt(start))) start++;
    while (right && end > start && space.has(text.charCodeAt(end - 1))) end--;
    return [start, end];
  };
  return {
    apply: (text) => text.slice(...bounds(text)),
    origin(text, origin) {
      const [start, end] = bounds(text);
      return Math.max(0, Math.min(origin, end) - start);
    },
  };
}

function replace(config: StageConfig): Normalizer {
  const regex = patternOf(config);
  const content = config.get("content", "string");
  const pattern = regexPattern(regex);
  return {
    apply(text) {
      let out = "";
      for (const { start, end, matched } of pattern(text)) {
        // The Rust library's alignment of text put in where nothing was makes later stages repeat text.
        if (matched && start === end) throw config.unsupported("a pattern that matches nothing at all");
        out += matched ? content : text.slice(start, end);
      }
      return out;
    },
    // What is put in counts as the last character that it replaces.
    origin: (text, origin) =>
      pattern(text).reduce((sum, { start, end, matched }) => {
        if (matched) return end <= origin ? sum + content.length : sum;
        return sum + Math.max(0, Math.min(end, origin) - start);
      }, 0),
  };
}

const nmtRemoved = (code: number) =>
  (code >= 0x01 && code <= 0x08) ||
  code === 0x0b ||
  (code >= 0x0e && code <= 0x1f) ||
  code === 0x7f ||
  code === 0x8f ||
  code === 0x9f;
const nmtSpaces = new Set([
  0x09, 0x0a, 0x0c, 0x0d, 0x1680, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581, 0xfeff, 0xfffd,
]);

function nmt(): TextChange {
  return (text) =>
    mapCharacters(text, (character, code) => (nmtRemoved(code) ? "" : nmtSpaces.has(code) ? " " : character));
}

function stripAccents(): TextChange {
  const marks = unicodeSet("combiningMarks");
  return (text) => mapCharacters(text, (character, code) => (marks.has(code) ? "" : character));
}

function prepend(config: StageConfig): TextChange {
  const prefix = config.get("prepend", "string");
  return (text) => (text === "" ? text : prefix + text);
}

const form = (name: NormalForm) => () => (text: string) => normalForm(text, name);

const changes: { readonly [type: string]: (config: StageConfig) => TextChange } = {
  BertNormalizer: bertNormalizer,
  ByteLevel: () => toByteLevel,
  Lowercase: () => lowerEach,
  NFC: form("NFC"),
  NFD: form("NFD"),
  NFKC: form("NFKC"),
  NFKD: form("NFKD"),
  Nmt: nmt,
  Precompiled: (config) => precompiled(config.get("precompiled_charsmap", "string")),
  Prepend: prepend,
  StripAccents: stripAccents,
};

function sequence(config: StageConfig): Normalizer {
  const stages = config.stages("normalizers").map(makeNormalizer);
  return {
    apply: (text) => stages.reduce((out, stage) => stage.apply(out), text),
    origin(text, origin) {
      let [changed, units] = [text, origin];
      for (const stage of stages) [changed, units] = [stage.apply(changed), stage.origin(changed, units)];
      return units;
    },
  };
}

const kinds: { readonly [type: string]: (config: StageConfig) => Normalizer } = {
  ...Object.fromEntries(
    Object.entries(changes).map(([type, make]) => [type, (config: StageConfig) => normalizer(make(config))]),
  ),
  Replace: replace,
  Sequence: sequence,
  Strip: strip,
};

/** @throws GraftError `unsupported`, `invalid-tokenizer` */
export function makeNormalizer(config: StageConfig): Normalizer {
  return config.pick(kinds)(config);
}
