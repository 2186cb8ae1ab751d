import { tensorData } from "../tensor-data.js";
import type { Network } from "./network.js";
import type { PreparedInputs } from "./prepare-inputs.js";

/** What a loss is told beside labels. */
export interface LossOptions {
  /** Share of the uniform distribution over the vocabulary in what a language model learns. Default 0. */
  readonly labelSmoothingFactor?: number;
}

/**
 * Inputs of a pass of which the loss counts: a language model is told where labels count and answers there alone, with
 * logits [1, labelled, vocabulary]. Other heads, and batches without a label that counts, stay as they are.
 */
export function lossInputs(
  network: Network,
  prepared: PreparedInputs,
  { labelSmoothingFactor = 0 }: LossOptions = {},
): PreparedInputs {
  const { labels, label_places: known } = prepared.feeds;
  const { head } = network;
  if (!labels || known || !head?.places) return prepared;
  // Where vectors stand among the tokens, the first token is predicted from one of them, and places would be others.
  const places = network.embeddingSites.virtualTokens > 0 ? new Int32Array(0) : head.places(labels);
  const isPlaced = places.length > 0;
  const isSmoothed = labelSmoothingFactor > 0;
  return {
    feeds: {
      ...prepared.feeds,
      ...(isPlaced && { label_places: tensorData("int32", [places.length], places) }),
      ...(isSmoothed && { label_smoothing: tensorData("float32", [], Float32Array.of(labelSmoothingFactor)) }),
    },
    rules: [
      ...prepared.rules,
      ...(isPlaced ? ([["labelPlaces", { dtype: "int32", shape: ["labelled"] }]] as const) : []),
      ...(isSmoothed ? ([["labelSmoothing", { dtype: "float32", shape: [] }]] as const) : []),
    ],
  };
}
