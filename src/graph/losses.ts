import { ignoredLabel } from "../problem-type.js";
import {
  abs,
  add,
  dimension,
  div,
  equal,
  exp,
  gatherElements,
  log,
  logSoftmax,
  maximum,
  mul,
  neg,
  reduceMean,
  reduceSum,
  reshape,
  sub,
  where,
} from "./functions.js";
import { scalar, type Tensor } from "./tensor.js";

export interface CrossEntropyOptions {
  /** Rows with this label count neither in the sum nor in the mean. Default -100. */
  readonly ignoreIndex?: number;
  /** Weight of the uniform distribution in the target: a number, or a scalar of the graph. Default 0. */
  readonly labelSmoothing?: number | Tensor;
}

/**
 * Mean cross entropy over the rows whose label counts (PyTorch `cross_entropy`).
 * A batch in which no label counts has loss 0 and zero gradients, where PyTorch's is NaN.
 * @param logits float32 [..., classes]
 * @param labels int32 [...]
 * @returns a scalar
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignoreIndex = ignoredLabel, labelSmoothing = 0 } = options;
  const classes = logits.shape.at(-1);
  const ignored = equal(labels, scalar(ignoreIndex, "int32"));
  const counts = where(ignored, scalar(0), scalar(1));
  const index = reshape(where(ignored, scalar(0, "int32"), labels), [...labels.shape, 1]);
  const logProbabilities = logSoftmax(logits, -1);
  const picked = reshape(gatherElements(logProbabilities, index, -1), labels.shape);
  const smoothed =
    labelSmoothing === 0
      ? picked
      : add(
          mul(picked, sub(1, labelSmoothing)),
          mul(div(reduceSum(logProbabilities, [-1]), dimension(classes ?? 1)), labelSmoothing),
        );
  return div(neg(reduceSum(mul(smoothed, counts))), maximum(reduceSum(counts), 1));
}

/** Mean squared error over all elements (PyTorch `mse_loss`); both tensors have one shape. */
export function meanSquaredError(predictions: Tensor, targets: Tensor): Tensor {
  const difference = sub(predictions, targets);
  return reduceMean(mul(difference, difference));
}

/**
 * Mean binary cross entropy of sigmoid(logits) over all elements (PyTorch `binary_cross_entropy_with_logits`),
 * in the form that does not overflow: max(x, 0) - x t + log(1 + exp(-|x|)).
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor): Tensor {
  const softplus = log(add(exp(neg(abs(logits))), 1));
  // `maximum` and not `relu`: at a logit of 0 its gradient of 1/2 is sigmoid's.
  return reduceMean(add(sub(maximum(logits, 0), mul(logits, targets)), softplus));
}
