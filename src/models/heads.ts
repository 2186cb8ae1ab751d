import { GraftError } from "../errors.js";
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  type Dim,
  meanSquaredError,
  reshape,
  slice,
  type Tensor,
} from "../graph/index.js";
import type { ModelConfig, ProblemType } from "./config.js";
import type { InputRule } from "./inputs.js";
import type { NetworkInputs, NetworkOutputs } from "./network.js";

/** The first position of every sequence: [batch, sequence, features] as [batch, features]. */
export function firstPosition(x: Tensor): Tensor {
  const [batch, , features] = x.shape as [Dim, Dim, Dim];
  return reshape(slice(x, 1, 0, 1), [batch, features]);
}

const losses: { readonly [K in ProblemType]: (logits: Tensor, labels: Tensor) => Tensor } = {
  regression: (logits, labels) => meanSquaredError(reshape(logits, labels.shape), labels),
  single_label_classification: (logits, labels) => crossEntropy(logits, labels),
  multi_label_classification: binaryCrossEntropyWithLogits,
};

/**
 * The problem type that transformers decides on: the config's, else regression for one output, else by the labels'
 * kind (whole numbers: one class each; floats: several).
 */
export function resolveProblemType(config: ModelConfig, labelsAreIntegers: boolean): ProblemType {
  if (config.problemType) return config.problemType;
  if (config.numLabels === 1) return "regression";
  return labelsAreIntegers ? "single_label_classification" : "multi_label_classification";
}

/** What the labels of a problem type must be. */
export function labelRule(config: ModelConfig, problemType: ProblemType): InputRule {
  const { numLabels } = config;
  if (problemType === "single_label_classification") return { dtype: "int32", shape: ["batch"] };
  if (problemType === "regression" && numLabels === 1) return { dtype: "float32", shape: ["batch"] };
  return { dtype: "float32", shape: ["batch", numLabels] };
}

/** A head's outputs: the logits, and the loss where the inputs hold labels. */
export function headOutputs(config: ModelConfig, logits: Tensor, { labels }: NetworkInputs): NetworkOutputs {
  if (!labels) return { logits };
  const problemType = resolveProblemType(config, labels.dtype === "int32");
  return { logits, loss: losses[problemType](logits, labels) };
}

/** An input that the network cannot do without. */
export function requireInput(inputs: NetworkInputs, name: keyof NetworkInputs): Tensor {
  const tensor = inputs[name];
  if (tensor) return tensor;
  throw new GraftError("invalid-argument", `the model needs the input ${name}`, `Add ${name} to the inputs.`);
}
