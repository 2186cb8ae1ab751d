import type { Dim, Tensor } from "../../graph/index.js";
import { ignoredLabel } from "../../problem-type.js";
import type { TensorData } from "../../tensor-data.js";
import type { NetworkInputs, NetworkOutputs, Ports } from "../ports.js";

/** What labels must be. */
export interface LabelRule {
  /** int32: class ids; float32: values. */
  readonly dtype: "int32" | "float32";
  /** Named dimensions are those of the inputs. */
  readonly shape: readonly Dim[];
  /** Least and largest label, both included; the padding is allowed besides. */
  readonly range: readonly [least: number, largest: number];
  /** What stands where there is no label: it counts neither in the loss nor in metrics. null: every place has a label. */
  readonly padding: number | null;
  /** What the labels are, for messages: "single_label_classification takes 0 to 2". */
  readonly takes: string;
}

/** What a caller's labels look like; a head may decide by it what they are. */
export interface GivenLabels {
  readonly shape: readonly number[];
  /** Whether all are whole numbers. */
  readonly areWhole: boolean;
}

/** What a model learns: which outputs it gives, what its labels are, and the loss between the two. */
export interface Head {
  /** What it gives, the loss aside. */
  readonly outputs: Ports;
  /** What labels must be. Without `given`: what they usually are, for those who make them. */
  labels(given?: GivenLabels): LabelRule;
  /**
   * The mean loss over all labels that count, a scalar.
   * @param smoothing share of the uniform distribution in what is learnt, a scalar; for heads with `places`
   */
  loss(outputs: NetworkOutputs, labels: Tensor, smoothing?: Tensor): Tensor;
  /** How many labels of a batch the loss is a mean of: transformers' `num_items_in_batch`. */
  items(labels: TensorData): number;
  /**
   * Where the labels that count stand among all of a batch, for a head that can answer there alone (`loss-inputs.ts`).
   * Without it the head answers everywhere.
   */
  places?(labels: TensorData): Int32Array;
}

/** A head's outputs: what the network made, and the loss where the inputs hold labels. */
export function withLoss(head: Head, outputs: NetworkOutputs, { labels }: NetworkInputs): NetworkOutputs {
  return labels ? { ...outputs, loss: head.loss(outputs, labels) } : outputs;
}

/** The number of labels that are not to be ignored; values all count. */
export function countLabels({ dtype, data }: TensorData): number {
  if (dtype === "float32") return data.length;
  let counted = 0;
  for (let i = 0; i < data.length; i++) if (Number(data[i]) !== ignoredLabel) counted++;
  return counted;
}
