import type { Patterns } from "./patterns.js";
import { beginning } from "./python-regex.js";

/** One layer of a stack or several, from 0. */
export type LayerIndices = number | readonly number[];

/** The first number between dots behind a name. */
const anyList = String.raw`.*?\.[^.]*\.(?P<idx>\d+)\.`;

const isNone = (value: LayerIndices | Patterns | null): boolean =>
  value === null || (typeof value !== "number" && value.length === 0);

/**
 * PEFT's rule for the layers in which a method acts: the index that a path has behind the list of layers is one of those.
 * @param layers none: every path
 * @param patterns names of the list, or regular expressions for it; none: the path's first index counts
 * @throws GraftError `invalid-config` for what is no regular expression
 */
export function inLayers(layers: LayerIndices | null, patterns: Patterns | null): (path: string) => boolean {
  if (layers === null || isNone(layers)) return () => true;
  const names = typeof patterns === "string" ? [patterns] : (patterns ?? []);
  const expressions = isNone(patterns)
    ? [anyList]
    : names.map((name) => String.raw`(?:^|.*?\.)${name}\.(?P<idx>\d+)\.`);
  const indexOf = expressions.map((expression) => beginning(expression, "idx"));
  return (path) => {
    const index = indexOf.map((find) => find(path)).find((found) => found !== undefined);
    if (index === undefined) return false;
    return typeof layers === "number" ? layers === Number(index) : layers.includes(Number(index));
  };
}
