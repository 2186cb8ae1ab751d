import type { Dim } from "../graph/index.js";
import type { TensorData } from "../tensor-data.js";

/** Names of model inputs in TypeScript, and what graphs and Python call them. */
export const inputNames = {
  inputIds: "input_ids",
  attentionMask: "attention_mask",
  tokenTypeIds: "token_type_ids",
  pixelValues: "pixel_values",
  labels: "labels",
} as const;

export type InputName = keyof typeof inputNames;

/** Names of model outputs in TypeScript, and what graphs and Python call them. */
export const outputNames = {
  loss: "loss",
  logits: "logits",
  lastHiddenState: "last_hidden_state",
  poolerOutput: "pooler_output",
} as const;

export type OutputName = keyof typeof outputNames;

/** Numbers in lists of one length per level: a tensor as it is typed by hand. */
export type NestedNumbers = readonly number[] | readonly NestedNumbers[];

/** What a model is called with. Integers may be of any integer dtype, floats of any float dtype. */
export type ModelInputs = { readonly [K in InputName]?: TensorData | NestedNumbers };

/** What an input must be. */
export interface InputRule {
  readonly dtype: "int32" | "float32";
  /** Sizes, and the named dimensions "batch" and "sequence". */
  readonly shape: readonly Dim[];
  readonly required?: boolean;
  /** Elements lie in 0 <= element < below. */
  readonly below?: { readonly limit: number; readonly why: string };
  /** Largest value of the dimension "sequence". */
  readonly longest?: { readonly limit: number; readonly why: string };
}

export type InputRules = { readonly [K in Exclude<InputName, "labels">]?: InputRule };
