import { GraftError, messageOf } from "../../errors.js";

/** Spellings of Python's `re` that JavaScript writes differently. */
const translations: readonly (readonly [RegExp, string])[] = [
  [/\(\?P<(\w+)>/g, "(?<$1>"],
  [/\(\?P=(\w+)\)/g, "\\k<$1>"],
  [/\(\?#[^)]*\)/g, ""],
  [/\\A/g, "^"],
  [/\\Z/g, "$"],
];

/**
 * A Python regular expression that must match a whole text (`re.fullmatch`), as PEFT takes a string of target modules.
 * @throws GraftError `invalid-config` where the pattern is not one
 */
export function fullMatch(pattern: string): (text: string) => boolean {
  return tested(pattern, (body) => `^(?:${body})$`);
}

/** `re.match(rf"(.*\.)?({pattern})$", text)`: the rule of PEFT's rank_pattern and alpha_pattern. @throws GraftError */
export function beginsAndEnds(pattern: string): (text: string) => boolean {
  return tested(pattern, (body) => `^(?:.*\\.)?(?:${body})$`);
}

/** `re.match(rf"(^|.*\.){pattern}($|\..*)", text)`: the rule of PEFT's modules_to_save. @throws GraftError */
export function anyPart(pattern: string): (text: string) => boolean {
  return tested(pattern, (body) => `^(?:^|.*\\.)${body}(?:$|\\..*)`);
}

/** What a group of `re.match(pattern, text)` holds; undefined where the text does not match. @throws GraftError */
export function beginning(pattern: string, group: string): (text: string) => string | undefined {
  const expression = compiled(pattern, (body) => `^(?:${body})`);
  return (text) => expression.exec(text)?.groups?.[group];
}

function tested(pattern: string, around: (body: string) => string): (text: string) => boolean {
  const expression = compiled(pattern, around);
  return (text) => expression.test(text);
}

function compiled(pattern: string, around: (body: string) => string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const body = flags ? pattern.slice(flags[0].length) : pattern;
  const translated = translations.reduce((text, [from, to]) => text.replace(from, to), body);
  try {
    return new RegExp(around(translated), flags?.[1] ?? "");
  } catch (error) {
    throw new GraftError(
      "invalid-config",
      `${JSON.stringify(pattern)} is not a regular expression: ${messageOf(error)}`,
      "A single text is taken as a regular expression over whole module paths; give a list for plain names.",
      { cause: error },
    );
  }
}
