import type { AdapterConfig } from "../../config/config-class.js";
import { patternValue } from "../../matching/patterns.js";
import type { Injection } from "../../tuner.js";

/** A name as a regular expression that it alone matches. */
const literally = (path: string): string => path.replaceAll(".", "\\.");

/** A pattern that gives every adapted module, under its written name, the value that the given pattern gives it. */
function written<T>(
  pattern: Readonly<Record<string, T>>,
  targets: readonly string[],
  spell: (path: string) => string,
): Readonly<Record<string, T>> {
  const values = targets.map((path) => [spell(path), patternValue(pattern, [path, spell(path)])] as const);
  if (values.every(([path, value]) => patternValue(pattern, [path]) === value)) return pattern;
  return Object.fromEntries(values.flatMap(([path, value]) => (value === undefined ? [] : [[literally(path), value]])));
}

type PatternConfig = AdapterConfig & {
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
};

/** rankPattern and alphaPattern so that they mean the same modules in the written spelling. */
export function writtenPatterns<C extends PatternConfig>(
  config: C,
  { targets }: Injection,
  spell: (path: string) => string,
): C {
  return config.with({
    rankPattern: written(config.rankPattern, targets, spell),
    alphaPattern: written(config.alphaPattern, targets, spell),
  });
}
