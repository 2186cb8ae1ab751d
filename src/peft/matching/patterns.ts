import { fullMatch } from "./python-regex.js";

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
  return (modulesToSave ?? []).some((name) => `.${path}.`.includes(`.${name}.`));
}
