import { Linear, MatrixLayer } from "../../nn/index.js";
import type { Patterns } from "./patterns.js";
import type { TargetKind } from "./select.js";

const isLinear: TargetKind["isLinear"] = (module) => module instanceof Linear;

/**
 * The targets of a method that goes around linear layers.
 * @param rule "IA3 goes around linear layers only"
 * @param defaults the usual ones by model type
 */
export function linearTargets(rule: string, defaults: Readonly<Record<string, Patterns>>): TargetKind {
  return { accepts: isLinear, isLinear, rule, defaults };
}

/** The targets of a method that also goes around convolutions whose stride is their kernel. */
export function matrixTargets(rule: string, defaults: Readonly<Record<string, Patterns>>): TargetKind {
  return { accepts: (module) => module instanceof MatrixLayer, isLinear, rule, defaults };
}
