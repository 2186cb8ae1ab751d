import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  type Dim,
  meanSquaredError,
  reshape,
  type Tensor,
} from "../../graph/index.js";
import { ignoredLabel, type ProblemType } from "../../problem-type.js";
import type { ModelConfig } from "../config.js";
import { countLabels, type Head, type LabelRule } from "./head.js";

interface Problem {
  rule(numLabels: number): Omit<LabelRule, "takes"> & { readonly allowed: string };
  loss(logits: Tensor, labels: Tensor): Tensor;
}

const problems: { readonly [K in ProblemType]: Problem } = {
  regression: {
    rule: (numLabels) => ({
      dtype: "float32",
      shape: numLabels === 1 ? ["batch"] : ["batch", numLabels],
      range: [-Number.MAX_VALUE, Number.MAX_VALUE],
      padding: null,
      allowed: "finite numbers",
    }),
    loss: (logits, labels) => meanSquaredError(reshape(logits, labels.shape), labels),
  },
  single_label_classification: {
    rule: (numLabels) => ({
      dtype: "int32",
      shape: ["batch"],
      range: [0, numLabels - 1],
      padding: ignoredLabel,
      allowed: `0 to ${numLabels - 1}, or ${ignoredLabel} for a row to ignore`,
    }),
    loss: (logits, labels) => crossEntropy(logits, labels),
  },
  multi_label_classification: {
    rule: (numLabels) => ({
      dtype: "float32",
      shape: ["batch", numLabels],
      range: [0, 1],
      padding: null,
      allowed: "numbers from 0 to 1",
    }),
    loss: binaryCrossEntropyWithLogits,
  },
};

/**
 * The problem type that transformers decides on: the config's, else regression for one output, else by the labels'
 * kind (whole numbers: one class each; floats: several).
 */
export function resolveProblemType(
  { problemType, numLabels }: Pick<ModelConfig, "problemType" | "numLabels">,
  labelsAreIntegers = true,
): ProblemType {
  if (problemType) return problemType;
  if (numLabels === 1) return "regression";
  return labelsAreIntegers ? "single_label_classification" : "multi_label_classification";
}

/** One prediction for each row, a text or a picture: a class, several classes, or values, by the problem type. */
export function classification(config: ModelConfig): Head {
  const { numLabels } = config;
  const batch: Dim = "batch";
  return {
    outputs: { logits: { dtype: "float32", shape: [batch, numLabels] } },
    labels(given) {
      const isClassEach = given === undefined || (given.shape.length === 1 && given.areWhole);
      const problemType = resolveProblemType(config, isClassEach);
      const { allowed, ...rule } = problems[problemType].rule(numLabels);
      return { ...rule, takes: `${problemType} takes ${allowed}` };
    },
    loss: ({ logits }, labels) =>
      problems[resolveProblemType(config, labels.dtype === "int32")].loss(logits as Tensor, labels),
    items: countLabels,
  };
}
