import { GraftError } from "../../errors.js";
import type { Parameter } from "../../nn/index.js";
import type { Adapter } from "./adapter.js";

/** A copy that is in force for as long as its adapter is there leaves no room for another one's. */
export function checkPersistent(adapter: Adapter): void {
  const taken = adapter.copies.find(({ original, isPersistent }) => isPersistent && original.standIn !== null);
  if (!taken) return;
  throw new GraftError(
    "unsupported",
    `another adapter trains ${taken.original.name} for as long as it is loaded`,
    'Only one adapter of a model can train the base\'s own biases: let the others leave them alone (bias: "none").',
  );
}

/** Copying or adjusting one parameter is exclusive among acting adapters. */
export function checkExclusive(adapters: readonly Adapter[]): void {
  const owners = new Map<Parameter, Adapter>();
  for (const adapter of adapters) {
    const claimed = [
      ...adapter.copies.map(({ original }) => original),
      ...adapter.adjusted.map((one) => one.parameter),
    ];
    for (const parameter of claimed) {
      const owner = owners.get(parameter) ?? adapter;
      owners.set(parameter, owner);
      if (owner === adapter) continue;
      throw new GraftError(
        "unsupported",
        `the adapters ${owner.name} and ${adapter.name} both have their own ${parameter.name}`,
        "Let one of them act at a time, or train the module with one of them alone.",
      );
    }
  }
}
