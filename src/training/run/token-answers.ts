import type { Network, PreparedInputs } from "../../models/index.js";
import { type TensorData, tensorData } from "../../tensor-data.js";
import { argMax } from "../metrics/index.js";

/** The ids that a language model predicts where labels count, and those labels. */
export interface TokenAnswers {
  /** float32 [labelled]: ids */
  readonly predictions: TensorData<"float32">;
  /** int32 [labelled] */
  readonly labels: TensorData;
}

/**
 * A language model's answers of a batch, so that its logits need not be kept; undefined for other models.
 * @param logits [1, labelled, vocabulary], or of all tokens where the inputs hold no places
 */
export function tokenAnswers(
  { head }: Network,
  logits: TensorData<"float32">,
  { feeds: { labels, label_places: given } }: PreparedInputs,
): TokenAnswers | undefined {
  if (!head?.places || !labels) return undefined;
  const places = given ? Array.from(given.data, Number) : Array.from(head.places(labels));
  const ids = argMax(logits);
  const sequence = labels.shape[1] ?? 1;
  // Where logits are of all tokens, a label is predicted at the one before it.
  const predicted = given ? ids : places.map((place) => ids[place - (place % sequence === 0 ? 0 : 1)] ?? 0);
  return {
    predictions: tensorData("float32", [places.length], Float32Array.from(predicted)),
    labels: tensorData(
      "int32",
      [places.length],
      Int32Array.from(places, (place) => Number(labels.data[place])),
    ),
  };
}
