import type { TensorData } from "../tensor-data.js";

/** PEFT's ways to make one LoRA of several (`combination_type`). */
export const combinationTypes = [
  "svd",
  "linear",
  "cat",
  "ties",
  "ties_svd",
  "dare_ties",
  "dare_linear",
  "dare_ties_svd",
  "dare_linear_svd",
  "magnitude_prune",
  "magnitude_prune_svd",
] as const;

export type CombinationType = (typeof combinationTypes)[number];

/** How adapters are combined. */
export interface Combination {
  readonly type: CombinationType;
  /** Rank of what is made, by "svd" and its kin. */
  readonly rank: number;
  /** Share of the elements that pruning keeps; null: nothing is pruned. */
  readonly density: number | null;
  /** Whose sign counts where adapters disagree: that of the sum, or that of most. */
  readonly majoritySignMethod: "total" | "frequency";
  /** Quantile (0 to 1) of the factors' elements beyond which "svd" and its kin cut them off; null: none. */
  readonly svdClamp: number | null;
  /** Of the elements that DARE drops. */
  readonly seed: number;
}

/** One adapter's factors of a layer: scaling * B A, and how much of it is wanted. */
export interface WeightedFactors {
  /** [r, ...] */
  readonly a: TensorData<"float32">;
  /** [features out, r, ...] */
  readonly b: TensorData<"float32">;
  readonly scaling: number;
  readonly weight: number;
}

/** Factors of the combination, whose scale is 1. */
export interface CombinedFactors {
  readonly a: Float32Array;
  readonly b: Float32Array;
  /** Squared norm of what was to be approximated, and of what the approximation lacks; 0 of 0 where it is none. */
  readonly whole: number;
  readonly lost: number;
}

/** Makes the factors of one layer. `place` tells layers apart where elements are drawn at random. */
export type CombineFactors = (
  factors: readonly WeightedFactors[],
  combination: Combination,
  place: string,
) => CombinedFactors;
