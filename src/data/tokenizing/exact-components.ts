import {
  BertNormalizer,
  BertPreTokenizer,
  ByteLevelPreTokenizer,
  LowercaseNormalizer,
  type Normalizer,
  type PreTokenizer,
  SequenceNormalizer,
  SequencePreTokenizer,
  WhitespacePreTokenizer,
} from "@huggingface/tokenizers";
import { CharacterClass } from "./character-class.js";
import { unicodeTables } from "./unicode-tables.js";

/**
 * Stand-ins for the stages of the JavaScript tokenizers whose token ids differ from Hugging Face's Rust ones.
 *
 * JavaScript's \s, \w, \p{Mn} and \p{P} are not Rust's: \s holds U+FEFF and lacks U+0085, \w is ASCII, the Unicode
 * version is the engine's, and toLowerCase() knows the Greek final sigma where Rust maps one character at a time.
 */

const removed = new CharacterClass(unicodeTables.removedByCleanText);
const space = new CharacterClass(unicodeTables.spaceInCleanText);
const chinese = new CharacterClass(unicodeTables.chineseCharacters);
const marks = new CharacterClass(unicodeTables.nonSpacingMarks);
const punctuation = new CharacterClass(unicodeTables.punctuation);
const whiteSpace = new CharacterClass(unicodeTables.whiteSpace);

const printableAscii = /^[\x20-\x7e]*$/;

function mapCharacters(text: string, map: (character: string, codePoint: number) => string): string {
  let out = "";
  for (const character of text) out += map(character, character.codePointAt(0)!);
  return out;
}

function lowerEach(text: string): string {
  return printableAscii.test(text) ? text.toLowerCase() : mapCharacters(text, (character) => character.toLowerCase());
}

class ExactLowercase extends LowercaseNormalizer {
  override normalize(text: string): string {
    return lowerEach(text);
  }
}

class ExactBertNormalizer extends BertNormalizer {
  override normalize(text: string): string {
    const lowercase = this.config.lowercase ?? false;
    if (printableAscii.test(text)) return lowercase ? text.toLowerCase() : text;
    let out = text;
    if (this.config.clean_text) {
      out = mapCharacters(out, (character, code) => (removed.has(code) ? "" : space.has(code) ? " " : character));
    }
    if (this.config.handle_chinese_chars) {
      out = mapCharacters(out, (character, code) => (chinese.has(code) ? ` ${character} ` : character));
    }
    if (this.config.strip_accents ?? lowercase) {
      out = mapCharacters(out.normalize("NFD"), (character, code) => (marks.has(code) ? "" : character));
    }
    return lowercase ? lowerEach(out) : out;
  }
}

class ExactBertPreTokenizer extends BertPreTokenizer {
  override pre_tokenize_text(text: string): string[] {
    const words: string[] = [];
    let word = "";
    const finish = () => {
      if (word !== "") words.push(word);
      word = "";
    };
    for (const character of text) {
      const code = character.codePointAt(0)!;
      if (whiteSpace.has(code)) {
        finish();
      } else if (punctuation.has(code)) {
        finish();
        words.push(character);
      } else {
        word += character;
      }
    }
    finish();
    return words;
  }
}

class ExactWhitespacePreTokenizer extends WhitespacePreTokenizer {
  override pre_tokenize_text(text: string): string[] {
    return (
      text.match(
        /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu,
      ) ?? []
    );
  }
}

/** GPT-2's split with Rust's white space in place of JavaScript's \s. */
const byteLevelPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The same normaliser with exact stages put in, in place for sequences. */
export function exactNormalizer(stage: Normalizer | null): Normalizer | null {
  if (stage instanceof SequenceNormalizer) {
    stage.normalizers = stage.normalizers.map(exactNormalizer);
    return stage;
  }
  if (stage instanceof BertNormalizer) return new ExactBertNormalizer(stage.config);
  if (stage instanceof LowercaseNormalizer) return new ExactLowercase(stage.config);
  return stage;
}

/** The same pre-tokeniser with exact stages put in, in place for sequences. */
export function exactPreTokenizer(stage: PreTokenizer | null): PreTokenizer | null {
  if (stage instanceof SequencePreTokenizer) {
    stage.tokenizers = stage.tokenizers.map(exactPreTokenizer);
    return stage;
  }
  if (stage instanceof ByteLevelPreTokenizer) {
    stage.pattern = byteLevelPattern;
    return stage;
  }
  if (stage instanceof BertPreTokenizer) return new ExactBertPreTokenizer();
  if (stage instanceof WhitespacePreTokenizer) return new ExactWhitespacePreTokenizer();
  return stage;
}
