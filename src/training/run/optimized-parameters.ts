import { GraftError } from "../../errors.js";
import type { Parameter } from "../../models/index.js";
import type { FactorPair } from "../../peft/index.js";
import type { OptimizedParameter } from "../../runtime/index.js";
import type { TrainableModel } from "../model.js";
import { isDecayed } from "./weight-decay.js";

/** LoRA+ (Hayou et al. 2024): factors on the learning rate. */
export interface LoraPlus {
  /** For B, and for vectors: how many times the rate of A. */
  readonly lrRatio: number;
  /** For both factors of an embedding table. */
  readonly embeddingScale: number;
}

/** PEFT's groups: factors of embeddings; B and vectors; everything else. */
function scaleOf(parameter: Parameter, pairs: readonly FactorPair[], { lrRatio, embeddingScale }: LoraPlus): number {
  if (pairs.some(({ a, b, isEmbedding }) => isEmbedding && (a === parameter || b === parameter))) return embeddingScale;
  return parameter.shape.length === 1 || pairs.some(({ b }) => b === parameter) ? lrRatio : 1;
}

/** What an optimiser is told of each trained parameter: decay, rate, and the factor that it is multiplied with. */
export function optimizedParameters(
  model: TrainableModel,
  weightDecay: number,
  loraplus?: LoraPlus,
): OptimizedParameter[] {
  const groupOf = new Map(
    model.trainedGroups?.().flatMap((group) => group.parameters.map((parameter) => [parameter, group] as const)),
  );
  const pairs = model.factorPairs?.() ?? [];
  return model.runner.trainedParameters().map((parameter) => {
    const { learningRateScale = 1, isDecayed: decays = isDecayed(parameter.name) } = groupOf.get(parameter) ?? {};
    const pair = pairs.find(({ a, b }) => b === parameter && !a.trainable);
    return {
      name: parameter.name,
      weightDecay: decays ? weightDecay : 0,
      learningRateScale: learningRateScale * (loraplus ? scaleOf(parameter, pairs, loraplus) : 1),
      ...(pair ? { factor: { partner: pair.a.name, scaling: pair.scaling } } : {}),
    };
  });
}

/** @throws GraftError `invalid-argument` for a model whose adapter has no factors that are trained */
export function requireFactors(model: TrainableModel, what: string): void {
  if (model.factorPairs?.().some(({ b }) => b.trainable)) return;
  throw new GraftError(
    "invalid-argument",
    `${what} trains the factors of LoRA, and the model has none that are trained`,
    'Adapt it with LoRA, or train with the optimiser "adamw" and one learning rate.',
  );
}

/** LoRA-FA trains B alone. @returns what takes that back */
export function freezeFirstFactors(model: TrainableModel): () => void {
  const frozen = (model.factorPairs?.() ?? []).flatMap(({ a, b }) => (a.trainable && b.trainable ? [a] : []));
  for (const a of frozen) a.trainable = false;
  return () => {
    for (const a of frozen) a.trainable = true;
  };
}
