import { type Tensor, transpose } from "../../graph/index.js";
import { Conv1D, Linear, MatrixLayer, type Module } from "../../nn/index.js";
import type { Patterns } from "./patterns.js";
import type { TargetKind } from "./select.js";

/** A linear layer, whichever way it stores its weight. */
export type AnyLinear = Linear | Conv1D;

const isLinear = (module: Module): module is AnyLinear => module instanceof Linear || module instanceof Conv1D;

/** A matrix [outFeatures, inFeatures] as a layer stores its weight, and back. */
export const asStored = (layer: AnyLinear, matrix: Tensor): Tensor =>
  layer instanceof Conv1D ? transpose(matrix, [1, 0]) : matrix;

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
  const isMatrix = (module: Module) => module instanceof MatrixLayer;
  return { accepts: isMatrix, isLinear: (module) => module instanceof Linear, rule, defaults };
}
