import { anyPart, beginsAndEnds, fullMatch } from "./python-regex.js";

/** Module names as a config holds them: a list of names or path ends, or one regular expression. */
export type Patterns = readonly string[] | string;

/** PEFT's short form for every linear layer but the head. */
export const ALL_LINEAR = "all-linear";

export const isAllLinear = (patterns: Patterns | null): boolean =>
  typeof patterns === "string" && patterns.toLowerCase() === ALL_LINEAR;

/** PEFT's rule: a list matches a path that equals a name or ends with it after a dot; a text matches as a regex. */
export function matcher(patterns: Patterns | null): (path: string) => boolean {
  if (patterns === null) return () => false;
  if (typeof patterns === "string") return fullMatch(patterns);
  return (path) => patterns.some((name) => path === name || path.endsWith(`.${name}`));
}

/** PEFT's guard: a module to save and all that lies below it is never adapted. */
export function isSavedWhole(path: string, modulesToSave: readonly string[] | null): boolean {
  return (modulesToSave ?? []).some((name) => anyPart(name)(path));
}

/**
 * The value of the first key that fits a module (PEFT's `get_pattern_key`): each is a regular expression for the path's
 * end, from its beginning or behind a dot.
 */
export function patternValue<T>(pattern: Readonly<Record<string, T>>, names: readonly string[]): T | undefined {
  const key = Object.keys(pattern).find((one) => names.some(beginsAndEnds(one)));
  return key === undefined ? undefined : pattern[key];
}
