import type { DType } from "../tensor-data.js";
import type { Dim } from "./dim.js";

type NoAttributes = Record<never, never>;

/** Which axes a reduction folds, and whether they stay as 1. */
export interface ReduceAttributes {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** A single axis, counted from 0 (already normalised). */
export interface AxisAttributes {
  readonly axis: number;
}

/**
 * The closed set of operators, each with its attributes. Names are ONNX's in camelCase; semantics are ONNX's too,
 * except where a line says otherwise. Adding an operator: one line here, one entry in its family's table.
 */
export interface OpAttributes {
  /** alpha * A' B', the primes being transpositions of the last two axes; batch axes broadcast. */
  matMul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly alpha: number };

  add: NoAttributes;
  sub: NoAttributes;
  mul: NoAttributes;
  div: NoAttributes;
  maximum: NoAttributes;
  minimum: NoAttributes;
  equal: NoAttributes;
  greater: NoAttributes;
  less: NoAttributes;
  where: NoAttributes;

  neg: NoAttributes;
  abs: NoAttributes;
  exp: NoAttributes;
  log: NoAttributes;
  sqrt: NoAttributes;
  reciprocal: NoAttributes;
  sin: NoAttributes;
  cos: NoAttributes;
  erf: NoAttributes;
  tanh: NoAttributes;
  sigmoid: NoAttributes;
  relu: NoAttributes;
  /** x * Phi(x), Phi by the error function. */
  gelu: NoAttributes;
  /** dy * d gelu(x) / dx, of inputs (x, dy): one operator, so that a backend can share the forward's error function. */
  geluGradient: NoAttributes;
  /** x to a constant power. */
  pow: { readonly exponent: number };
  cast: { readonly to: DType };

  /** The value of a dimension as a float32 scalar; it has no inputs. */
  dimension: { readonly dim: Dim };

  reduceSum: ReduceAttributes;
  reduceMean: ReduceAttributes;
  reduceMax: ReduceAttributes;
  cumSum: AxisAttributes;

  /** The element count must not change; dimensions may be expressions. */
  reshape: { readonly shape: readonly Dim[] };
  transpose: { readonly permutation: readonly number[] };
  expand: { readonly shape: readonly Dim[] };
  /** The first input as it is, once the second, of the same shape, has been computed: for the order of execution. */
  after: NoAttributes;
  /** The input as it is; no gradient passes (PyTorch's detach). */
  stopGradient: NoAttributes;
  concat: AxisAttributes;
  /** start <= index < end along one axis. */
  slice: { readonly axis: number; readonly start: Dim; readonly end: Dim };
  /** The adjoint of slice: zeros before and after along one axis. */
  pad: { readonly axis: number; readonly before: Dim; readonly after: Dim };

  /**
   * Slices of the first input picked along an axis by an integer tensor of any rank. The slice at `paddingIndex` gets no
   * gradient (PyTorch's padding_idx); null: all do.
   */
  gather: AxisAttributes & { readonly paddingIndex: number | null };
  /** The adjoint of gather: (indices, updates) added into zeros of a shape; repeated indices accumulate. */
  gatherGradient: { readonly axis: number; readonly shape: readonly Dim[] };
  gatherElements: AxisAttributes;
  /** Updates added into the first input; repeated indices accumulate. */
  scatterElementsAdd: AxisAttributes;

  softmax: AxisAttributes;
  logSoftmax: AxisAttributes;
  /** Over the last axis, of inputs (x, scale, bias); outputs y, mean and 1 / standard deviation. */
  layerNorm: { readonly epsilon: number };
  /** x / sqrt(mean(x^2) + epsilon) * scale over the last axis, and the inverse root. */
  rmsNorm: { readonly epsilon: number };

  /** x * mask / keepProbability with a uint8 mask of zeros and ones. */
  dropout: { readonly keepProbability: number };
}

export type OpName = keyof OpAttributes;
