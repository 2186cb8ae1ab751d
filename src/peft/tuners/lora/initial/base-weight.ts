import { GraftError } from "../../../../errors.js";
import { transposed } from "../../../../linear-algebra/products.js";
import type { TensorData } from "../../../../tensor-data.js";
import type { InitialContext } from "./types.js";

/** The base weight as [outFeatures, inFeatures], without what adapters made of it. */
export async function baseWeight({ host, matrix }: InitialContext): Promise<TensorData<"float32">> {
  const weight = await host.baseElements(matrix.weight);
  return matrix.isTransposed ? transposed(weight) : weight;
}

/** Calls a function when its result is first asked for, and never again. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** @throws GraftError `invalid-config` where a weight has fewer singular vectors than the rank */
export function requireRank({ matrix: { path, inFeatures, outFeatures }, r }: InitialContext, name: string): void {
  const most = Math.min(inFeatures, outFeatures);
  if (r <= most) return;
  throw new GraftError(
    "invalid-config",
    `initLoraWeights "${name}" cannot give ${path} the rank ${r}: its weight has ${most} singular vectors`,
    `Set \`r\` to at most ${most}, in rankPattern for this layer alone.`,
    { option: "r" },
  );
}
