import { GraftError } from "../../../errors.js";
import { shown } from "../../../json.js";
import { complement, intersection, union } from "./code-points.js";
import { bracketEscapes, escapeClasses, propertyRanges } from "./properties.js";

/**
 * Translates a regular expression of Oniguruma, which the Rust tokenizers use, into a JavaScript one that matches the
 * same: its classes are written out from its own Unicode tables, possessive and atomic groups become lookaheads.
 * What has no exact counterpart here is refused, never approximated.
 * @throws GraftError `unsupported`
 */
export function translateRegex(source: string): RegExp {
  return new RegExp(new Translator(source).run(), "gu");
}

const hex = (code: number) => `\\u{${code.toString(16)}}`;

function classText(ranges: readonly number[]): string {
  if (ranges.length === 0) return "(?!)";
  if (ranges.length === 2 && ranges[0] === ranges[1]) return hex(ranges[0]!);
  let out = "[";
  for (let i = 0; i < ranges.length; i += 2) {
    out += ranges[i] === ranges[i + 1] ? hex(ranges[i]!) : `${hex(ranges[i]!)}-${hex(ranges[i + 1]!)}`;
  }
  return `${out}]`;
}

const simpleEscapes: { readonly [letter: string]: number } = { t: 9, n: 10, v: 11, f: 12, r: 13, a: 7, e: 27 };

/** Letters that together fold to one character (ß, ﬀ, ﬁ, ﬂ, ﬆ) when case does not count. */
const foldedTogether = /ss|ff|fi|fl|st/;

class Translator {
  private readonly characters: string[];
  private position = 0;
  private captures = 0;

  constructor(private readonly source: string) {
    this.characters = Array.from(source);
  }

  run(): string {
    const out = this.alternatives(false);
    if (this.position < this.characters.length) this.refuse("an unmatched )");
    return out;
  }

  private refuse(what: string): never {
    throw new GraftError(
      "unsupported",
      `the regular expression ${shown(this.source)} of tokenizer.json has ${what}, which has no exact counterpart in JavaScript`,
      "Graft refuses it rather than tokenise differently.",
    );
  }

  private peek(text: string): boolean {
    return this.characters.slice(this.position, this.position + text.length).join("") === text;
  }

  private take(text: string): boolean {
    if (!this.peek(text)) return false;
    this.position += text.length;
    return true;
  }

  private next(): string {
    const character = this.characters[this.position++];
    if (character === undefined) this.refuse("an end that comes too early");
    return character;
  }

  private alternatives(ignoreCase: boolean): string {
    let out = "";
    let literals = "";
    for (;;) {
      if (this.position >= this.characters.length || this.peek(")")) return out;
      if (this.take("|")) {
        out += "|";
        literals = "";
        continue;
      }
      if (this.take("(?i)")) {
        if (out.includes("|")) this.refuse("(?i) behind a |");
        return `${out}(?:${this.alternatives(true)})`;
      }
      const start = this.position;
      const atom = this.atom(ignoreCase);
      literals = this.position - start === 1 ? literals + this.characters[start]!.toLowerCase() : "";
      if (ignoreCase && foldedTogether.test(literals)) this.refuse(`"${literals}" without regard to case`);
      out += this.quantified(atom);
    }
  }

  /** The atom with what repeats it; a + behind a quantifier makes it possessive. */
  private quantified(atom: string): string {
    let out = atom;
    for (;;) {
      const quantifier = this.quantifier();
      if (quantifier === undefined) return out;
      if (quantifier.startsWith("{")) {
        // A ? or + behind {n,m} is not always what it is elsewhere.
        if (this.peek("+") || (this.peek("?") && /^\{\d+\}$/.test(quantifier)))
          this.refuse(`${quantifier} with another quantifier`);
        out = `${out}${quantifier}${this.take("?") ? "?" : ""}`;
      } else if (this.take("+")) {
        out = this.atomic(`${out}${quantifier}`);
      } else {
        out = `${out}${quantifier}${this.take("?") ? "?" : ""}`;
      }
      if (this.peek("*") || this.peek("+") || this.peek("?") || this.interval()) out = `(?:${out})`;
    }
  }

  private quantifier(): string | undefined {
    for (const sign of ["*", "+", "?"]) if (this.take(sign)) return sign;
    const interval = this.interval();
    if (!interval) return undefined;
    this.position += interval[0].length;
    const [, low = "", comma, high = ""] = interval;
    return comma === undefined ? `{${low}}` : `{${low || "0"},${high}}`;
  }

  private interval(): RegExpMatchArray | undefined {
    if (this.characters[this.position] !== "{") return undefined;
    const found = /^\{(\d*)(,)?(\d*)\}/.exec(this.characters.slice(this.position, this.position + 20).join(""));
    return found && (found[1] || found[3]) ? found : undefined;
  }

  private atomic(inner: string): string {
    this.captures++;
    return `(?=(?<p${this.captures}>${inner}))\\k<p${this.captures}>`;
  }

  private atom(ignoreCase: boolean): string {
    const character = this.next();
    if (character === "(") return this.group(ignoreCase);
    if (character === "[") return classText(this.cased(this.bracketClass(), ignoreCase));
    if (character === ".") return classText(complement([10, 10]));
    if (character === "\\") return this.escape(ignoreCase);
    if (character === "^") return "(?<![^\\n])";
    if (character === "$") return "(?=\\n|$)";
    if ("*+?".includes(character)) this.refuse(`a ${character} with nothing to repeat`);
    return classText(this.cased(codeOf(character), ignoreCase));
  }

  private cased(ranges: number[], ignoreCase: boolean): number[] {
    if (!ignoreCase) return ranges;
    if (intersection(ranges, [0x80, 0x10ffff]).length > 0)
      this.refuse("characters beyond ASCII without regard to case");
    const out = [ranges];
    for (let code = 0x41; code <= 0x5a; code++) {
      if (intersection(ranges, [code, code, code + 32, code + 32]).length === 0) continue;
      out.push([code, code], [code + 32, code + 32]);
      if (code === 0x4b) out.push([0x212a, 0x212a]);
      if (code === 0x53) out.push([0x17f, 0x17f]);
    }
    return union(...out);
  }

  private group(ignoreCase: boolean): string {
    const close = (open: string, inner: string) => {
      if (!this.take(")")) this.refuse("an unclosed (");
      return `${open}${inner})`;
    };
    for (const open of ["(?:", "(?=", "(?!", "(?<=", "(?<!"] as const) {
      if (this.take(open.slice(1))) return close(open, this.alternatives(ignoreCase));
    }
    if (this.take("?>")) return this.atomic(close("(?:", this.alternatives(ignoreCase)));
    if (this.take("?i:")) return close("(?:", this.alternatives(true));
    if (this.take("?-i:")) return close("(?:", this.alternatives(false));
    if (this.peek("?") || this.peek("*"))
      this.refuse(`the group (${this.characters.slice(this.position, this.position + 4).join("")}`);
    return close("(?:", this.alternatives(ignoreCase));
  }

  private escape(ignoreCase: boolean): string {
    const letter = this.characters[this.position];
    if (letter === "b" || letter === "B") {
      this.position++;
      const word = classText(escapeClasses.w!());
      const edge = `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`;
      return letter === "b" ? edge : `(?!${edge})`;
    }
    if (letter === "A" && this.take("A")) return "(?<![^])";
    if (letter === "z" && this.take("z")) return "(?![^])";
    if (letter === "Z" && this.take("Z")) return "(?=\\n?(?![^]))";
    return classText(this.cased(this.escapedClass(escapeClasses), ignoreCase));
  }

  /** What stands behind a backslash, as a set of characters. */
  private escapedClass(classes: typeof escapeClasses): number[] {
    const letter = this.next();
    if (letter === "p" || letter === "P") return this.property(letter === "P");
    const lower = letter.toLowerCase();
    if (Object.hasOwn(classes, lower)) {
      const ranges = classes[lower]!();
      return letter === lower ? ranges : complement(ranges);
    }
    if (Object.hasOwn(simpleEscapes, letter)) return [simpleEscapes[letter]!, simpleEscapes[letter]!];
    if (letter === "u" || letter === "x") return this.hexEscape(letter);
    if (/[A-Za-z0-9]/.test(letter)) this.refuse(`\\${letter}`);
    return codeOf(letter);
  }

  private hexEscape(letter: string): number[] {
    const rest = this.characters.slice(this.position, this.position + 12).join("");
    const found = letter === "u" ? /^[0-9a-fA-F]{4}/.exec(rest) : /^(?:\{[0-9a-fA-F]{1,6}\}|[0-9a-fA-F]{2})/.exec(rest);
    if (!found) this.refuse(`\\${letter} without its digits`);
    this.position += found[0].length;
    const code = Number.parseInt(found[0].replace(/[{}]/g, ""), 16);
    if (code > 0x10ffff || (letter === "x" && !found[0].startsWith("{") && code > 0x7f))
      this.refuse(`\\${letter}${found[0]}`);
    return [code, code];
  }

  private property(negated: boolean): number[] {
    const end = this.characters.indexOf("}", this.position);
    if (!this.take("{") || end < 0) this.refuse("\\p without {}");
    const inverted = this.take("^");
    const name = this.characters.slice(this.position, end).join("");
    this.position = end + 1;
    const ranges = propertyRanges(name) ?? this.refuse(`\\p{${name}}`);
    return negated !== inverted ? complement(ranges) : ranges;
  }

  /** What stands in square brackets, nested ones and && included. */
  private bracketClass(): number[] {
    const negated = this.take("^");
    const sets: number[][] = [];
    let before: number[] | undefined;
    let first = true;
    for (;;) {
      if (!first && this.take("]")) break;
      if (this.take("&&")) {
        const left = union(...sets);
        before = before ? intersection(before, left) : left;
        sets.length = 0;
      } else {
        sets.push(this.classItem(first));
      }
      first = false;
    }
    const all = before ? intersection(before, union(...sets)) : union(...sets);
    return negated ? complement(all) : all;
  }

  private classItem(first: boolean): number[] {
    if (this.peek("[:")) return this.bracketName();
    if (this.take("[")) return this.bracketClass();
    const low = this.classCharacter(first);
    if (!this.peek("-") || this.characters[this.position + 1] === "]" || low.length !== 2 || low[0] !== low[1])
      return low;
    this.position++;
    if (this.peek("[")) this.refuse("a range that ends in [");
    const high = this.classCharacter(false);
    if (high.length !== 2 || high[0] !== high[1] || high[0]! < low[0]!)
      this.refuse("a range without two ends in order");
    return [low[0]!, high[0]!];
  }

  private classCharacter(first: boolean): number[] {
    const character = this.next();
    if (character === "]" && first) this.refuse("an empty class");
    if (character !== "\\") return codeOf(character);
    if (this.take("b")) return [8, 8];
    return this.escapedClass(bracketEscapes);
  }

  private bracketName(): number[] {
    const text = this.characters.slice(this.position, this.position + 14).join("");
    const found = /^\[:(\^)?(\w+):\]/.exec(text);
    const known = ["digit", "word", "space", "xdigit", "ascii", "cntrl"];
    if (!found || !known.includes(found[2]!)) this.refuse(`the class ${text}`);
    this.position += found[0].length;
    const ranges = propertyRanges(found[2]!)!;
    return found[1] ? complement(ranges) : ranges;
  }
}

function codeOf(character: string): number[] {
  const code = character.codePointAt(0)!;
  return [code, code];
}
