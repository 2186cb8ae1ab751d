import { GraftError, messageOf } from "../../errors.js";
import { translateRegex } from "./translate-regex.js";

/**
 * A Python regular expression that must match a whole text (`re.fullmatch`), as PEFT takes a string of target modules.
 * @throws GraftError `invalid-config` where the pattern is not one; `unsupported` for what JavaScript has no words for
 */
export function fullMatch(pattern: string): (text: string) => boolean {
  return compiled(pattern, (body) => `^(?:${body})$`);
}

/** `re.match(rf"(.*\.)?({pattern})$", text)`: the rule of PEFT's rank_pattern and alpha_pattern. @throws GraftError */
export function beginsAndEnds(pattern: string): (text: string) => boolean {
  return compiled(pattern, (body) => `^(?:.*\\.)?(?:${body})$`);
}

function compiled(pattern: string, around: (body: string) => string): (text: string) => boolean {
  const { source, flags } = translateRegex(pattern);
  try {
    const expression = new RegExp(around(source), flags);
    return (text) => expression.test(text);
  } catch (error) {
    throw new GraftError(
      "invalid-config",
      `${JSON.stringify(pattern)} is not a regular expression: ${messageOf(error)}`,
      "A single text is taken as a regular expression over whole module paths; give a list for plain names.",
      { cause: error },
    );
  }
}
