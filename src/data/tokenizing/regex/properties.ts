import { decodeRanges } from "../unicode/character-class.js";
import { generalCategories } from "../unicode/classes.js";
import { scriptSets, unicodeSets } from "../unicode/tables.js";
import { complement, difference, intersection, union } from "./code-points.js";

const byCategory = (...names: readonly string[]) => union(...names.map((name) => generalCategories().get(name)!));
const wordSet = (unlike: readonly number[]) => difference(decodeRanges(unicodeSets.word), unlike);
/** \w by itself, which also takes ², ½ and the like. */
const word = () => wordSet(decodeRanges(unicodeSets.wordUnlikeOniguruma));
/** \w in brackets, which does not. */
const wordInClass = () => wordSet(intersection(decodeRanges(unicodeSets.wordUnlikeOniguruma), [0x100, 0x10ffff]));

const longNames: { readonly [name: string]: string } = {
  letter: "L",
  mark: "M",
  number: "N",
  punctuation: "P",
  symbol: "S",
  separator: "Z",
  other: "C",
  uppercaseletter: "Lu",
  lowercaseletter: "Ll",
  nonspacingmark: "Mn",
  decimalnumber: "Nd",
};

const bracketNames: { readonly [name: string]: () => number[] } = {
  digit: () => byCategory("Nd"),
  word: wordInClass,
  space: () => decodeRanges(unicodeSets.whiteSpace),
  xdigit: () => [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
  ascii: () => [0, 0x7f],
  cntrl: () => byCategory("Cc"),
};

/** The characters of \p{name} in Oniguruma; undefined for a name that is not known here. */
export function propertyRanges(name: string): number[] | undefined {
  const key = name.replace(/[\s_-]/g, "").toLowerCase();
  const script = Object.entries(scriptSets).find(([script]) => script.toLowerCase() === key);
  if (script) return decodeRanges(script[1]);
  if (Object.hasOwn(bracketNames, key)) return bracketNames[key]!();
  if (key === "any") return [0, 0x10ffff];
  const wanted = (longNames[key] ?? key).toLowerCase();
  if (wanted === "cn") return complement(union([0xd800, 0xdfff], ...generalCategories().values()));
  if (wanted === "c")
    return complement(union(...[...generalCategories()].flatMap(([n, r]) => (n[0] === "C" ? [] : [r]))));
  const found = [...generalCategories().keys()].filter((category) =>
    wanted.length === 1 ? category[0]!.toLowerCase() === wanted : category.toLowerCase() === wanted,
  );
  return found.length > 0 ? byCategory(...found) : undefined;
}

/** The characters of \d, \s, \w and \h by themselves. */
export const escapeClasses: { readonly [letter: string]: () => number[] } = {
  d: () => byCategory("Nd"),
  s: () => decodeRanges(unicodeSets.whiteSpace),
  w: word,
  h: bracketNames.xdigit!,
};

/** The same inside of square brackets. */
export const bracketEscapes: typeof escapeClasses = { ...escapeClasses, w: wordInClass };
