import { accuracy } from "./accuracy.js";
import type { Metric } from "./metric.js";

/** How many tokens the model is as unsure between: e to the mean loss. */
export const perplexityMetric: Metric = {
  kind: "tokens",
  gives: ["perplexity"],
  help: "e to the mean loss of a token",
  compute: ({ loss = Number.NaN }) => ({ perplexity: Math.exp(loss) }),
};

/** Share of tokens that were predicted. */
export const tokenAccuracyMetric: Metric = {
  kind: "tokens",
  gives: ["token_accuracy"],
  help: "share of tokens that are predicted",
  compute: (input) => ({ token_accuracy: accuracy(input).accuracy }),
};
