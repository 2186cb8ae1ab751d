import { GraftError } from "../../errors.js";

/** A JavaScript regular expression that means what one of Python's `re` means. */
export interface TranslatedRegex {
  readonly source: string;
  /** "u", and "i" where the pattern says so; its other flags are written out. */
  readonly flags: string;
}

const invalid = (pattern: string, fault: string): GraftError =>
  new GraftError(
    "invalid-config",
    `${JSON.stringify(pattern)} is not a regular expression of Python: ${fault}`,
    "A single text is taken as a regular expression over whole module paths; give a list for plain names.",
  );

const unsupported = (pattern: string, what: string): GraftError =>
  new GraftError(
    "unsupported",
    `${JSON.stringify(pattern)} holds ${what}, which JavaScript's regular expressions lack`,
    "Write the pattern without it, or give a list of names.",
  );

/** Letters that JavaScript escapes as Python does. */
const sameEscapes = new Set("nrtfv");
/** Python's classes look beyond ASCII. */
const classes: Readonly<Record<string, string>> = {
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  w: "[\\p{L}\\p{N}_]",
  W: "[^\\p{L}\\p{N}_]",
  s: "[\\s\\x1c-\\x1f\\x85]",
  S: "[^\\s\\x1c-\\x1f\\x85]",
};
const insideClass: Readonly<Record<string, string>> = {
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  w: "\\p{L}\\p{N}_",
  s: "\\s\\x1c-\\x1f\\x85",
};
const word = "[\\p{L}\\p{N}_]";
const boundaries: Readonly<Record<string, string>> = {
  A: "(?<![\\s\\S])",
  Z: "(?![\\s\\S])",
  b: `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`,
  B: `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))`,
};

const syntax = new Set("^$\\.*+?()[]{}|/");

/** A character as a pattern that stands for nothing else. */
function literal(character: string): string {
  return syntax.has(character) ? `\\${character}` : character;
}

function literalInClass(character: string): string {
  return "\\]^-[".includes(character) ? `\\${character}` : character;
}

class Translator {
  private at = 0;
  private out = "";
  /** Groups that capture, by their names where they have one, in order. */
  private readonly groups: (string | undefined)[] = [];
  private readonly open: ("group" | "lookbehind")[] = [];
  private readonly closed = new Set<number>();
  private readonly openGroups: (number | undefined)[] = [];
  private flags = new Set<string>();

  constructor(private readonly pattern: string) {}

  translate(): TranslatedRegex {
    this.leadingFlags();
    while (this.at < this.pattern.length) this.next();
    if (this.open.length > 0) throw invalid(this.pattern, "a parenthesis is not closed");
    return { source: this.out, flags: this.flags.has("i") ? "iu" : "u" };
  }

  private rest(): string {
    return this.pattern.slice(this.at);
  }

  private leadingFlags(): void {
    for (let match = /^\(\?([aiLmsux]+)\)/.exec(this.rest()); match; match = /^\(\?([aiLmsux]+)\)/.exec(this.rest())) {
      for (const flag of match[1] as string) {
        if ("ims".includes(flag)) this.flags.add(flag);
        else if (flag !== "u") throw unsupported(this.pattern, `the flag ${flag}`);
      }
      this.at += match[0].length;
    }
  }

  private next(): void {
    const rest = this.rest();
    const character = String.fromCodePoint(rest.codePointAt(0) as number);
    if (character === "\\") this.escape();
    else if (character === "[") this.characterClass();
    else if (character === "(") this.group();
    else if (character === ")") this.close();
    else if (character === "{") this.brace();
    else if ("*+?".includes(character)) this.quantifier(character);
    else if (character === "$") this.put(this.flags.has("m") ? "(?=\\n|(?![\\s\\S]))" : "(?=\\n?(?![\\s\\S]))", 1);
    else if (character === "^") this.put(this.flags.has("m") ? "(?<=\\n|(?<![\\s\\S]))" : "(?<![\\s\\S])", 1);
    // JavaScript's dot stops at more kinds of line ends than Python's.
    else if (character === ".") this.put(this.flags.has("s") ? "[\\s\\S]" : "[^\\n]", 1);
    else if (character === "|") this.put("|", 1);
    else this.put(literal(character), character.length);
  }

  private put(text: string, length: number): void {
    this.out += text;
    this.at += length;
  }

  /** What follows a quantifier makes it lazy, or possessive, which JavaScript lacks. */
  private quantifier(text: string): void {
    const after = this.pattern[this.at + text.length];
    if (after === "+") throw unsupported(this.pattern, `a possessive quantifier (${text}+)`);
    if (after !== undefined && "*?{".includes(after) && after !== "?") {
      const repeats = after !== "{" || /^\{(?:\d+(?:,\d*)?|,\d*)\}/.test(this.pattern.slice(this.at + text.length));
      if (repeats) throw invalid(this.pattern, "a quantifier follows another");
    }
    const lazy = after === "?" ? "?" : "";
    this.put(`${text}${lazy}`, text.length + lazy.length);
  }

  /** {n}, {n,m}, {n,} and Python's {,m}; any other brace is itself. */
  private brace(): void {
    const match = /^\{(\d*)(,?)(\d*)\}/.exec(this.rest());
    const [all = "", least = "", comma = "", most = ""] = match ?? [];
    if (all === "" || (least === "" && comma === "")) {
      this.put("\\{", 1);
      return;
    }
    const plain = `{${least === "" ? "0" : least}${comma}${most}}`;
    const after = this.pattern[this.at + all.length];
    if (after === "+") throw unsupported(this.pattern, `a possessive quantifier (${all}+)`);
    const lazy = after === "?" ? "?" : "";
    this.put(`${plain}${lazy}`, all.length + lazy.length);
  }

  private escape(): void {
    const next = this.pattern[this.at + 1];
    if (next === undefined) throw invalid(this.pattern, "it ends with a backslash");
    const boundary = boundaries[next];
    if (boundary !== undefined) this.put(boundary, 2);
    else if (classes[next] !== undefined) this.put(classes[next], 2);
    else if (/[1-9]/.test(next)) this.numbered();
    else this.character(literal);
  }

  private numbered(): void {
    const [digits = ""] = /^\d{1,2}/.exec(this.pattern.slice(this.at + 1)) ?? [];
    if (/^[0-3][0-7]{2}/.test(this.pattern.slice(this.at + 1))) {
      this.character(literal);
      return;
    }
    if (!this.closed.has(Number(digits))) throw invalid(this.pattern, `there is no group ${digits} before \\${digits}`);
    // A group that took no part matches nothing in Python, and the empty text in JavaScript.
    this.put(this.reference(Number(digits)), 1 + digits.length);
  }

  private reference(group: number): string {
    if (this.isOptional)
      throw unsupported(this.pattern, "a reference to a group beside alternatives or optional groups");
    return `(?:\\${group})`;
  }

  /** Whether some group may take no part in a match. */
  private get isOptional(): boolean {
    return /\||[)][?*{]/.test(this.pattern);
  }

  /** An escape that stands for one character. */
  private character(write: (character: string) => string): void {
    const rest = this.rest();
    const code =
      /^\\x([0-9a-fA-F]{2})/.exec(rest) ?? /^\\u([0-9a-fA-F]{4})/.exec(rest) ?? /^\\U([0-9a-fA-F]{8})/.exec(rest);
    const octal = /^\\(0[0-7]{0,2}|[0-3][0-7]{2})/.exec(rest);
    const next = rest[1] as string;
    if (code) this.put(write(String.fromCodePoint(Number.parseInt(code[1] as string, 16))), code[0].length);
    else if (octal) this.put(write(String.fromCodePoint(Number.parseInt(octal[1] as string, 8))), octal[0].length);
    else if (sameEscapes.has(next)) this.put(`\\${next}`, 2);
    else if (next === "a") this.put("\\x07", 2);
    else if (/[A-Za-z0-9]/.test(next)) throw invalid(this.pattern, `\\${next} means nothing`);
    else this.put(write(next), 2);
  }

  private characterClass(): void {
    let at = this.at + 1;
    const isNegated = this.pattern[at] === "^";
    if (isNegated) at++;
    this.put(isNegated ? "[^" : "[", at - this.at);
    let isFirst = true;
    for (let next = this.pattern[this.at]; next !== "]" || isFirst; next = this.pattern[this.at]) {
      if (next === undefined) throw invalid(this.pattern, "a [ is not closed");
      isFirst = false;
      this.classMember(next);
    }
    this.put("]", 1);
  }

  private classMember(next: string): void {
    if (next === "\\") {
      const name = this.pattern[this.at + 1] ?? "";
      if (insideClass[name] !== undefined) this.put(insideClass[name], 2);
      else if (name === "b") this.put("\\x08", 2);
      else if (name === "W" || name === "S") throw unsupported(this.pattern, `\\${name} within brackets`);
      else this.character(literalInClass);
      return;
    }
    const following = this.pattern[this.at + 1];
    const begins = /[[^]$/.test(this.out.slice(-1)) && !this.out.endsWith("\\[");
    // A dash between two characters is a range; at either end it is itself.
    if (next === "-" && !begins && following !== "]") this.put("-", 1);
    else {
      const character = String.fromCodePoint(this.pattern.codePointAt(this.at) as number);
      this.put(literalInClass(character), character.length);
    }
  }

  private group(): void {
    const rest = this.rest();
    const named = /^\(\?P<([^\W\d]\w*)>/.exec(rest);
    const back = /^\(\?P=(\w+)\)/.exec(rest);
    const plain = /^\(\?(?::|=|!|<=|<!)/.exec(rest);
    const scoped = /^\(\?([aiLmsux]*)(?:-([imsx]+))?:/.exec(rest);
    if (back) {
      const group = this.groups.indexOf(back[1] as string) + 1;
      if (!this.closed.has(group)) throw invalid(this.pattern, `there is no group ${back[1]} before (?P=${back[1]})`);
      this.put(this.reference(group), back[0].length);
    } else if (named) {
      if (this.groups.includes(named[1])) throw invalid(this.pattern, `two groups are called ${named[1]}`);
      this.begin(`(?<${named[1]}>`, named[0].length, named[1]);
    } else if (/^\(\?#/.test(rest)) {
      const end = rest.indexOf(")");
      if (end < 0) throw invalid(this.pattern, "a comment is not closed");
      this.at += end + 1;
    } else if (plain) {
      // JavaScript's lookbehind takes any length, Python's one only.
      const isBehind = plain[0].startsWith("(?<");
      if (isBehind && !this.hasOneLength(plain[0].length))
        throw invalid(this.pattern, "a lookbehind has no one length");
      this.openGroups.push(undefined);
      this.open.push(isBehind ? "lookbehind" : "group");
      this.put(plain[0], plain[0].length);
    } else if (/^\(\?>/.test(rest)) throw unsupported(this.pattern, "an atomic group (?>...)");
    else if (/^\(\?\(/.test(rest)) throw this.conditional(rest);
    else if (scoped) throw unsupported(this.pattern, `flags for a part (${scoped[0]}...)`);
    else if (/^\(\?[aiLmsux]+\)/.test(rest)) throw invalid(this.pattern, "flags stand elsewhere than at its beginning");
    else if (rest.startsWith("(?")) throw invalid(this.pattern, `${rest.slice(0, 3)} begins no group`);
    else this.begin("(", 1, undefined);
  }

  /** Python checks that a conditional group names a group of the pattern, which may stand after it only by number. */
  private conditional(rest: string): GraftError {
    const [, id = ""] = /^\(\?\((\w+)\)/.exec(rest) ?? [];
    const plain = this.pattern.replace(/\(\?\(|\\[\s\S]|\[\^?\]?[^\]]*\]/g, "");
    const groups = plain.match(/\((?!\?)|\(\?P</g)?.length ?? 0;
    const isKnown = /^[1-9]\d*$/.test(id) ? Number(id) <= groups : this.groups.includes(id);
    return isKnown
      ? unsupported(this.pattern, "a conditional group (?(...)...)")
      : invalid(this.pattern, `there is no group ${JSON.stringify(id)} for (?(${id})...)`);
  }

  private begin(text: string, length: number, name: string | undefined): void {
    this.groups.push(name);
    this.openGroups.push(this.groups.length);
    this.open.push("group");
    this.put(text, length);
  }

  private close(): void {
    if (this.open.pop() === undefined) throw invalid(this.pattern, "a parenthesis closes nothing");
    const group = this.openGroups.pop();
    if (group !== undefined) this.closed.add(group);
    this.put(")", 1);
  }

  /** Whether a lookbehind plainly has one length: no quantifiers and alternatives of one width of plain characters. */
  private hasOneLength(offset: number): boolean {
    const inside =
      /^(?:\\.|\[(?:\\.|[^\]\\])+\]|[^()\\*+?{}[\]])*/.exec(this.pattern.slice(this.at + offset))?.[0] ?? "";
    if (this.pattern[this.at + offset + inside.length] !== ")") return false;
    const widths = inside
      .replace(/\\[bBAZ]/g, "")
      .split("|")
      .map((part) => [...part.replace(/\\.|\[(?:\\.|[^\]\\])+\]/g, "x").replace(/[$^]/g, "")].length);
    return new Set(widths).size === 1;
  }
}

/**
 * Translates a pattern of Python's `re` exactly, or refuses it.
 * @throws GraftError `invalid-config` for what Python refuses, `unsupported` for what JavaScript cannot say
 */
export function translateRegex(pattern: string): TranslatedRegex {
  return new Translator(pattern).translate();
}
