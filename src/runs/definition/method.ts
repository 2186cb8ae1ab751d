import { GraftError } from "../../errors.js";
import { nearest } from "../../nearest.js";
import { type Tuner, tuners } from "../../peft/index.js";
import type { Run } from "./run.js";

/** @throws GraftError `invalid-config` for a name that no tuning method has */
export function methodNamed(name: string): Tuner {
  const method = tuners().find((tuner) => tuner.name === name);
  if (method) return method;
  const names = tuners().map((tuner) => tuner.name);
  throw new GraftError(
    "invalid-config",
    `method is ${JSON.stringify(name)}, which is no tuning method`,
    `Did you mean "${nearest(name, names, 1)[0]}"? There are ${names.join(", ")}.`,
    { option: "method" },
  );
}

/** The method of runs that name none. */
export function defaultMethod(): Tuner {
  return tuners()[0] as Tuner;
}

/**
 * The tuning method of a run: the one it names, else the one it has options of, else the default.
 * @throws GraftError `invalid-config` for options of several methods of which none is named
 */
export function methodOf({ method, methods }: Pick<Run, "method" | "methods">): Tuner {
  if (method !== undefined) return methodNamed(method);
  const [first, ...others] = Object.keys(methods);
  if (others.length > 0) {
    throw new GraftError(
      "invalid-config",
      `the run has options of ${[first, ...others].join(" and ")}, and names no method`,
      `Set \`method\` to one of them, e.g. ${first}; the options of the others then wait.`,
      { option: "method" },
    );
  }
  return first === undefined ? defaultMethod() : methodNamed(first);
}
