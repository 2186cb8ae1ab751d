import { GraftError } from "../errors.js";
import type { AdapterUpdate } from "./adapter-updates.js";
import { type Amplification, amplification } from "./amplification.js";
import { rankThatKeeps, type Spectrum, spectrumOf } from "./spectrum.js";
import { type Grid, grassmannDistance, randomDirections, subspaceSimilarity } from "./subspaces.js";
import { decomposeUpdate, directionsOfA } from "./update.js";

/** What an adapter learned in one layer. */
export interface LayerAnalysis {
  readonly layer: string;
  /** The layer's name within its block ("query"), and the block's number; null for a layer outside of blocks. */
  readonly matrix: string;
  readonly depth: number | null;
  /** [features out, features in] */
  readonly shape: readonly [number, number];
  readonly rank: number;
  readonly scaling: number;
  readonly spectrum: Spectrum;
  /** The smallest rank that keeps each share of the update's norm. */
  readonly rankThatKeeps: readonly { readonly share: number; readonly rank: number }[];
  /** Against the weight; null without a base model, and for an update of zeros. */
  readonly amplification: Amplification | null;
}

/** How alike the directions of two adapters are in one layer, and a random control of the same size. */
export interface LayerSimilarity {
  readonly layer: string;
  readonly matrix: string;
  readonly depth: number | null;
  readonly similarity: Grid;
  readonly distance: Grid;
  readonly random: Grid;
}

export interface AnalysisOptions {
  /** Shares of the norm that ranks are advised for. Default 0.9, 0.95 and 0.99. */
  readonly shares?: readonly number[];
  /** Directions of delta W, W and random ones that are compared. Default: the adapter's rank. */
  readonly rank?: number;
  /** Of the random control. Default 0. */
  readonly seed?: number;
  /** Told how many layers are done. */
  readonly onLayer?: (done: number, all: number) => void;
}

/** Where a layer stands: "encoder.layer.3.attention.self.query" is "query" of block 3. */
export function placeOf(layer: string): { readonly matrix: string; readonly depth: number | null } {
  const parts = layer.split(".");
  const at = parts.findIndex((part) => /^\d+$/.test(part));
  const names = parts.slice(at + 1).filter((part) => !["self", "layer", "attn", "self_attn"].includes(part));
  const inner = names.length > 1 && /^(dense|c_proj)$/.test(names.at(-1) as string) ? names.join(".") : names.at(-1);
  return { matrix: inner ?? layer, depth: at < 0 ? null : Number(parts[at]) };
}

/**
 * Spectrum, ranks and amplification of every update, in the order of the layers.
 * @throws GraftError `invalid-argument` for shares and ranks that cannot be
 */
export async function analyzeUpdates(
  updates: readonly AdapterUpdate[],
  { shares = [0.9, 0.95, 0.99], rank, seed = 0, onLayer = () => {} }: AnalysisOptions = {},
): Promise<LayerAnalysis[]> {
  const wrong = shares.find((share) => !(share > 0 && share <= 1));
  if (wrong !== undefined || (rank !== undefined && !(Number.isInteger(rank) && rank > 0))) {
    throw new GraftError(
      "invalid-argument",
      wrong !== undefined ? `a share of the norm cannot be ${wrong}` : `the rank cannot be ${rank}`,
      "Shares are above 0 and at most 1; a rank is a whole number above 0.",
    );
  }
  const layers: LayerAnalysis[] = [];
  for (const update of updates) {
    const triplets = decomposeUpdate(update);
    const spectrum = spectrumOf(triplets.s);
    const compared = Math.min(rank ?? update.a.rows, triplets.s.length);
    const weight = spectrum.frobeniusNorm > 0 ? await update.weight?.() : undefined;
    layers.push({
      layer: update.layer,
      ...placeOf(update.layer),
      shape: [update.b.rows, update.a.columns],
      rank: update.a.rows,
      scaling: update.scaling,
      spectrum,
      rankThatKeeps: shares.map((share) => ({ share, rank: rankThatKeeps(share, triplets.s) })),
      amplification: weight ? amplification(weight.elements, weight.products, triplets, compared, seed) : null,
    });
    onLayer(layers.length, updates.length);
  }
  return layers;
}

/**
 * Subspace similarity of the A of two adapters in the layers that both have (figures 3 and 4 of Hu et al. 2021).
 * @throws GraftError `adapter-mismatch` where they share no layer, `shape-mismatch` for other base models
 */
export function compareUpdates(
  ones: readonly AdapterUpdate[],
  others: readonly AdapterUpdate[],
  { seed = 0 }: Pick<AnalysisOptions, "seed"> = {},
): LayerSimilarity[] {
  const byLayer = new Map(others.map((update) => [update.layer, update]));
  const common = ones.flatMap((one) => {
    const other = byLayer.get(one.layer);
    return other ? [{ one, other }] : [];
  });
  if (common.length === 0) {
    throw new GraftError(
      "adapter-mismatch",
      `the adapters have no layer in common: one has ${ones[0]?.layer}, the other ${others[0]?.layer}`,
      "Compare adapters of the same base model and targets.",
    );
  }
  return common.map(({ one, other }) => {
    const [ua, ub] = [directionsOfA(one), directionsOfA(other)];
    const similarity = subspaceSimilarity(ua, ub);
    const random = subspaceSimilarity(
      randomDirections(ua.rows, ua.columns, 2 * seed),
      randomDirections(ub.rows, ub.columns, 2 * seed + 1),
    );
    return { layer: one.layer, ...placeOf(one.layer), similarity, distance: grassmannDistance(similarity), random };
  });
}
