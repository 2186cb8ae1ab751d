import { GraftError } from "../../../errors.js";
import { kaimingUniform, normal, Parameter, zeros } from "../../../nn/index.js";
import type { LoraConfig } from "../../config/lora-config.js";

/** A and B of one adapter at one layer: the update of the weight is scaling * B A. */
export interface LoraMatrices {
  /** [r, inFeatures] */
  readonly a: Parameter;
  /** [outFeatures, r] */
  readonly b: Parameter;
  readonly dropout: number;
  readonly scaling: number;
}

/** The file names of the two matrices behind a module's path. */
export const matrixNames = { a: "lora_A.weight", b: "lora_B.weight" } as const;

/** PyTorch's default for a linear layer, which PEFT keeps for A: uniform in +-1/sqrt(inFeatures). */
const linearDefault = kaimingUniform(Math.sqrt(5));

/**
 * New matrices for a layer, not yet initialised. The rank is a named dimension, so that adapters of any rank run in one
 * compiled graph.
 */
export function createMatrices(
  path: string,
  inFeatures: number,
  outFeatures: number,
  config: LoraConfig,
): LoraMatrices {
  const { r, initLoraWeights } = config;
  const rank = `rank(${path})`;
  const a = new Parameter([r, inFeatures], [rank, inFeatures]);
  const b = new Parameter([outFeatures, r], [outFeatures, rank]);
  a.name = `${path}.${matrixNames.a}`;
  b.name = `${path}.${matrixNames.b}`;
  a.initializer = initLoraWeights === "gaussian" ? normal(1 / r) : linearDefault;
  b.initializer = initLoraWeights === false ? linearDefault : zeros;
  return { a, b, dropout: config.loraDropout, scaling: config.scaling };
}

/**
 * scaling * B A in steps rounded to float32, as PyTorch takes them.
 * @param a [r, inFeatures]
 * @param b [outFeatures, r]
 * @returns [outFeatures, inFeatures]
 */
export function updateOf(a: Float32Array, b: Float32Array, rank: number, scaling: number): Float32Array {
  const inFeatures = a.length / rank;
  const outFeatures = b.length / rank;
  const update = new Float32Array(outFeatures * inFeatures);
  const row = new Float64Array(inFeatures);
  const factor = Math.fround(scaling);
  for (let out = 0; out < outFeatures; out++) {
    row.fill(0);
    for (let k = 0; k < rank; k++) {
      const left = b[out * rank + k] as number;
      const offset = k * inFeatures;
      for (let i = 0; i < inFeatures; i++) row[i] = (row[i] as number) + left * (a[offset + i] as number);
    }
    for (let i = 0; i < inFeatures; i++) update[out * inFeatures + i] = Math.fround(row[i] as number) * factor;
  }
  return update;
}

/**
 * weight + scaling * B A.
 * @param weight [outFeatures, inFeatures]; untouched
 */
export function mergedWeight(
  weight: Float32Array,
  a: Float32Array,
  b: Float32Array,
  rank: number,
  scaling: number,
): Float32Array {
  const merged = updateOf(a, b, rank, scaling);
  for (let i = 0; i < merged.length; i++) merged[i] = (merged[i] as number) + (weight[i] as number);
  return merged;
}

/** @throws GraftError `not-finite` naming the weight (PEFT's safe merge) */
export function requireFinite(values: Float32Array, name: string): void {
  if (values.every(Number.isFinite)) return;
  throw new GraftError(
    "not-finite",
    `merging would put values that are not finite into ${name}`,
    "The adapter is broken (training diverged?). Nothing was merged.",
  );
}
