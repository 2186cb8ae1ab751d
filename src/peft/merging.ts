import { GraftError } from "../errors.js";
import { readParameter } from "../models/index.js";
import type { AdaptedNetwork } from "./adapted-network.js";
import type { LoraLinear } from "./tuners/lora/layer.js";
import { mergedWeight, requireFinite } from "./tuners/lora/matrices.js";

/** Options of `mergeAdapter` and `mergeAndUnload`. */
export interface MergeOptions {
  /** Check that every merged weight is finite before any is put in place. Default false, as in PEFT. */
  readonly safeMerge?: boolean;
}

/**
 * Adds the acting adapter's update to the weights that it adapts: W + scale * B A, in float32. Merged weights stand
 * before the base's own, which stay as they are. Either all layers are merged or, on an error, none.
 * @throws GraftError `invalid-argument` where no adapter acts, `missing-tensor` for a model without weights,
 *   `not-finite` (safeMerge)
 */
export async function mergeActive(network: AdaptedNetwork, { safeMerge = false }: MergeOptions = {}): Promise<void> {
  network.requireEnabled();
  if (network.activeAdapter === null) {
    throw new GraftError(
      "invalid-argument",
      "no adapter is active, so there is none to merge",
      "Call setAdapter first.",
    );
  }
  const merged: [LoraLinear, Float32Array][] = [];
  const acting = network.activeAdapter;
  for (const layer of network.layers()) {
    const matrices = layer.activeMatrices;
    if (!matrices || layer.merged) continue;
    const [weight, a, b] = await Promise.all([
      readParameter(layer.base.weight),
      readParameter(matrices.a),
      readParameter(matrices.b),
    ]);
    const rank = matrices.a.shape[0] as number;
    const sum = mergedWeight(weight.data, a.data, b.data, rank, layer.scaling);
    if (safeMerge) requireFinite(sum, layer.base.weight.name);
    merged.push([layer, sum]);
  }
  network.requireEnabled();
  if (network.activeAdapter !== acting) {
    throw new GraftError(
      "invalid-argument",
      `the adapter ${acting} gave way to ${network.activeAdapter ?? "none"} while it was being merged`,
      "Await mergeAdapter before you change adapters.",
    );
  }
  for (const [layer, weight] of merged) layer.merge(weight);
}

/** Drops all merged weights: the base's own are in force again, to the bit. */
export function unmergeAll(network: AdaptedNetwork): void {
  for (const layer of network.layers()) layer.unmerge();
}
