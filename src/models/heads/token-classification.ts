import { crossEntropy, type Tensor } from "../../graph/index.js";
import { ignoredLabel } from "../../problem-type.js";
import type { ModelConfig } from "../config.js";
import { countLabels, type Head } from "./head.js";

/** A class for each token. Tokens that are no word's first part, or padding, are labelled with the ignored label. */
export function tokenClassification({ numLabels }: ModelConfig): Head {
  return {
    outputs: { logits: { dtype: "float32", shape: ["batch", "sequence", numLabels] } },
    labels: () => ({
      dtype: "int32",
      shape: ["batch", "sequence"],
      range: [0, numLabels - 1],
      padding: ignoredLabel,
      takes: `token classification takes 0 to ${numLabels - 1}, or ${ignoredLabel} for a token to ignore`,
    }),
    loss: ({ logits }, labels) => crossEntropy(logits as Tensor, labels),
    items: countLabels,
  };
}
