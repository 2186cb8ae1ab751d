import { crossEntropy, type Dim, slice, type Tensor } from "../../graph/index.js";
import { ignoredLabel } from "../../problem-type.js";
import type { TensorData } from "../../tensor-data.js";
import type { Head } from "./head.js";

/** Where the labels of rows [batch, sequence] count, the first of each row aside: no token comes before it. */
function placesOf({ shape, data }: TensorData): Int32Array {
  const sequence = shape[1] ?? 1;
  const places: number[] = [];
  for (let i = 0; i < data.length; i++) if (i % sequence !== 0 && Number(data[i]) !== ignoredLabel) places.push(i);
  return Int32Array.from(places);
}

/** What each position says of the token that follows it: logits without the last position, labels without the first. */
function predictions(logits: Tensor, labels: Tensor): { logits: Tensor; labels: Tensor } {
  const length = labels.shape[1] as Dim;
  // One position more than there are labels: the first stands before all tokens, so that none is without a prediction.
  if (logits.shape[1] !== length) return { logits: slice(logits, 1, 0, length), labels };
  const counted = slice(labels, 1, 1, length);
  return { logits: slice(logits, 1, 0, counted.shape[1] as Dim), labels: counted };
}

/**
 * The next token of each token. Labels are the ids themselves: the loss shifts them. Padding, and tokens that are not to
 * be learnt, are labelled with the ignored label.
 */
export function causalLM({ vocabSize }: { readonly vocabSize: number }): Head {
  return {
    outputs: { logits: { dtype: "float32", shape: ["batch", "sequence", vocabSize] } },
    labels: () => ({
      dtype: "int32",
      shape: ["batch", "sequence"],
      range: [0, vocabSize - 1],
      padding: ignoredLabel,
      takes: `a language model takes the ids 0 to ${vocabSize - 1}, or ${ignoredLabel} for a token to ignore`,
    }),
    loss(outputs, given, labelSmoothing = undefined) {
      const { logits, labels } = predictions(outputs.logits as Tensor, given);
      return crossEntropy(logits, labels, labelSmoothing ? { labelSmoothing } : {});
    },
    items: (labels) => placesOf(labels).length,
    places: placesOf,
  };
}
