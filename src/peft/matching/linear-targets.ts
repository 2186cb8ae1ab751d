import { Linear } from "../../nn/index.js";
import type { Patterns } from "./patterns.js";
import type { TargetKind } from "./select.js";

/**
 * The targets of a method that goes around linear layers.
 * @param rule "IA3 goes around linear layers only"
 * @param defaults the usual ones by model type
 */
export function linearTargets(rule: string, defaults: Readonly<Record<string, Patterns>>): TargetKind {
  const isLinear: TargetKind["isLinear"] = (module) => module instanceof Linear;
  return { accepts: isLinear, isLinear, rule, defaults };
}
