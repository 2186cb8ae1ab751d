import { add, type Tensor } from "../../../graph/index.js";
import type { Parameter, Trace } from "../../../nn/index.js";
import type { Host } from "../../tuner.js";
import type { WeightMatrix } from "./weight-matrix.js";

/** What a variant knows of the layer that it varies. */
export interface LoraFactors {
  readonly layer: {
    readonly matrix: WeightMatrix;
    readonly a: Parameter;
    readonly b: Parameter;
    /** scale * B A: [outFeatures, inFeatures]. */
    weightUpdate(trace: Trace): Tensor;
  };
  /** The variant's own parameters. */
  readonly extra: Readonly<Record<string, Parameter>>;
}

/** What a variant makes the layer's output of: tensors [..., outFeatures]. */
export interface LoraOutputs {
  /** The base's output. */
  readonly result: Tensor;
  /** scale * B A dropout(x) */
  readonly update: Tensor;
  /** Writes W dropout(x) + b of the weight alone; null where nothing is dropped. */
  readonly dropped: (() => Tensor) | null;
}

/** A form of LoRA: what it adds to the matrices, how it computes, and what merging makes of the weight. */
export interface LoraVariant {
  /** Tells programs apart. */
  readonly name: string;
  /** Parameters besides A and B. */
  parameters(host: Host, layer: LoraFactors["layer"]): Readonly<Record<string, Parameter>>;
  forward(trace: Trace, values: LoraFactors & LoraOutputs): Tensor;
  /** @param values weight and update: [outFeatures, inFeatures] */
  merge(trace: Trace, values: LoraFactors & { readonly weight: Tensor; readonly update: Tensor }): Tensor;
}

/** The plain form: y + s B A x. */
export const plain: LoraVariant = {
  name: "plain",
  parameters: () => ({}),
  forward: (_trace, { result, update }) => add(result, update),
  merge: (_trace, { weight, update }) => add(weight, update),
};
