import { GraftError, messageOf } from "../../errors.js";
import { translateRegex } from "./translate-regex.js";

/**
 * A Python regular expression that must match a whole text (`re.fullmatch`), as PEFT takes a string of target modules.
 * @throws GraftError `invalid-config` where the pattern is not one; `unsupported` for what JavaScript has no words for
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
  const { source, flags } = translateRegex(pattern);
  try {
    return new RegExp(around(source), flags);
  } catch (error) {
    throw new GraftError(
      "invalid-config",
      `${JSON.stringify(pattern)} is not a regular expression: ${messageOf(error)}`,
      "A single text is taken as a regular expression over whole module paths; give a list for plain names.",
      { cause: error },
    );
  }
}
