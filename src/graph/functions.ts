import type { DType } from "../tensor-data.js";
import type { OpAttributes, OpName } from "./attributes.js";
import type { Dim } from "./dim.js";
import { apply } from "./op.js";
import { scalar, type Tensor } from "./tensor.js";

/** A tensor, or a number that stands for a constant scalar. */
export type Operand = Tensor | number;

function single<K extends OpName>(op: K, inputs: readonly Tensor[], attributes: OpAttributes[K]): Tensor {
  return apply(op, inputs, attributes)[0] as Tensor;
}

/** A number takes the dtype of the tensor that it meets. */
function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  const tensor = typeof a === "number" ? b : a;
  const dtype = typeof tensor !== "number" && tensor.dtype === "int32" ? "int32" : "float32";
  const lift = (value: Operand): Tensor => (typeof value === "number" ? scalar(value, dtype) : value);
  return [lift(a), lift(b)];
}

function normalizeAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

function normalizeAxes(axes: readonly number[] | undefined, rank: number): number[] {
  const all = axes ?? Array.from({ length: rank }, (_, axis) => axis);
  return all.map((axis) => normalizeAxis(axis, rank)).sort((a, b) => a - b);
}

/** alpha * A B over the last two axes, each operand transposed if asked; batch axes broadcast. */
export function matMul(a: Tensor, b: Tensor, options: Partial<OpAttributes["matMul"]> = {}): Tensor {
  return single("matMul", [a, b], { transposeA: false, transposeB: false, alpha: 1, ...options });
}

export const add = (a: Operand, b: Operand): Tensor => single("add", operands(a, b), {});
export const sub = (a: Operand, b: Operand): Tensor => single("sub", operands(a, b), {});
export const mul = (a: Operand, b: Operand): Tensor => single("mul", operands(a, b), {});
export const div = (a: Operand, b: Operand): Tensor => single("div", operands(a, b), {});
/** Element-wise; where both are equal each gets half of the gradient, as in PyTorch. */
export const maximum = (a: Operand, b: Operand): Tensor => single("maximum", operands(a, b), {});
/** Element-wise; where both are equal each gets half of the gradient, as in PyTorch. */
export const minimum = (a: Operand, b: Operand): Tensor => single("minimum", operands(a, b), {});
export const equal = (a: Tensor, b: Tensor): Tensor => single("equal", [a, b], {});
export const greater = (a: Operand, b: Operand): Tensor => single("greater", operands(a, b), {});
export const less = (a: Operand, b: Operand): Tensor => single("less", operands(a, b), {});
/** `a` where the condition (bool) holds, else `b`. */
export const where = (condition: Tensor, a: Operand, b: Operand): Tensor =>
  single("where", [condition, ...operands(a, b)], {});

export const neg = (x: Tensor): Tensor => single("neg", [x], {});
export const abs = (x: Tensor): Tensor => single("abs", [x], {});
export const exp = (x: Tensor): Tensor => single("exp", [x], {});
export const log = (x: Tensor): Tensor => single("log", [x], {});
export const sqrt = (x: Tensor): Tensor => single("sqrt", [x], {});
export const reciprocal = (x: Tensor): Tensor => single("reciprocal", [x], {});
export const sin = (x: Tensor): Tensor => single("sin", [x], {});
export const cos = (x: Tensor): Tensor => single("cos", [x], {});
export const erf = (x: Tensor): Tensor => single("erf", [x], {});
export const tanh = (x: Tensor): Tensor => single("tanh", [x], {});
export const sigmoid = (x: Tensor): Tensor => single("sigmoid", [x], {});
export const relu = (x: Tensor): Tensor => single("relu", [x], {});
/** x * Phi(x) with the exact error function (transformers' "gelu"). */
export const gelu = (x: Tensor): Tensor => single("gelu", [x], {});
/** dy * d gelu(x) / dx. */
export const geluGradient = (x: Tensor, dy: Tensor): Tensor => single("geluGradient", [x, dy], {});
/** x to a constant power. */
export const pow = (x: Tensor, exponent: number): Tensor => single("pow", [x], { exponent });
/** Conversion to another dtype; the same tensor where the dtype is already that. */
export const cast = (x: Tensor, to: DType): Tensor => (x.dtype === to ? x : single("cast", [x], { to }));

/** The value of a dimension: a number where it is known, else a float32 scalar computed at run time. */
export const dimension = (dim: Dim): Operand => (typeof dim === "number" ? dim : single("dimension", [], { dim }));

/** Sum over `axes` (all by default; negative axes count from the end). */
export const reduceSum = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor =>
  single("reduceSum", [x], { axes: normalizeAxes(axes, x.shape.length), keepDims });
/** Mean over `axes` (all by default). */
export const reduceMean = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor =>
  single("reduceMean", [x], { axes: normalizeAxes(axes, x.shape.length), keepDims });
/** Maximum over `axes` (all by default); ties share the gradient evenly, as PyTorch's `amax`. */
export const reduceMax = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor =>
  single("reduceMax", [x], { axes: normalizeAxes(axes, x.shape.length), keepDims });
/** Running sum along an axis. */
export const cumSum = (x: Tensor, axis: number): Tensor =>
  single("cumSum", [x], { axis: normalizeAxis(axis, x.shape.length) });

/** The same elements under another shape; dimensions may be expressions such as `multiplyDims("batch", 12)`. */
export const reshape = (x: Tensor, shape: readonly Dim[]): Tensor => single("reshape", [x], { shape });
export const transpose = (x: Tensor, permutation: readonly number[]): Tensor =>
  single("transpose", [x], { permutation });
/** Broadcasts to a shape. */
export const expand = (x: Tensor, shape: readonly Dim[]): Tensor => single("expand", [x], { shape });
/** x as it is, once `other` (of its shape) has been computed, so that what `other` is made from can be let go. */
export const after = (x: Tensor, other: Tensor): Tensor => single("after", [x, other], {});
/** x as it is, as a constant of the gradient. */
export const stopGradient = (x: Tensor): Tensor => single("stopGradient", [x], {});
export const concat = (tensors: readonly Tensor[], axis: number): Tensor =>
  single("concat", tensors, { axis: normalizeAxis(axis, tensors[0]?.shape.length ?? 0) });
/** Elements start <= index < end along an axis. */
export const slice = (x: Tensor, axis: number, start: Dim, end: Dim): Tensor =>
  single("slice", [x], { axis: normalizeAxis(axis, x.shape.length), start, end });
/** Zeros before and after along an axis. */
export const pad = (x: Tensor, axis: number, before: Dim, after: Dim): Tensor =>
  single("pad", [x], { axis: normalizeAxis(axis, x.shape.length), before, after });

/**
 * Slices picked along `axis` by integer `indices` of any rank: an embedding look-up for axis 0. The slice at
 * `paddingIndex` gets no gradient.
 */
export const gather = (x: Tensor, indices: Tensor, axis = 0, paddingIndex: number | null = null): Tensor =>
  single("gather", [x, indices], { axis: normalizeAxis(axis, x.shape.length), paddingIndex });
/** Updates added into zeros of `shape` at `indices` along `axis`; repeated indices accumulate. */
export const gatherGradient = (indices: Tensor, updates: Tensor, axis: number, shape: readonly Dim[]): Tensor =>
  single("gatherGradient", [indices, updates], { axis, shape });
/** ONNX GatherElements. */
export const gatherElements = (x: Tensor, indices: Tensor, axis: number): Tensor =>
  single("gatherElements", [x, indices], { axis: normalizeAxis(axis, x.shape.length) });
/** ONNX ScatterElements with reduction "add". */
export const scatterElementsAdd = (x: Tensor, indices: Tensor, updates: Tensor, axis: number): Tensor =>
  single("scatterElementsAdd", [x, indices, updates], { axis: normalizeAxis(axis, x.shape.length) });

export const softmax = (x: Tensor, axis: number): Tensor =>
  single("softmax", [x], { axis: normalizeAxis(axis, x.shape.length) });
export const logSoftmax = (x: Tensor, axis: number): Tensor =>
  single("logSoftmax", [x], { axis: normalizeAxis(axis, x.shape.length) });
/** (x - mean) / sqrt(variance + epsilon) * scale + bias over the last axis. */
export const layerNorm = (x: Tensor, scale: Tensor, bias: Tensor, epsilon: number): Tensor =>
  single("layerNorm", [x, scale, bias], { epsilon });

/** x / sqrt(mean(x^2) + epsilon) * scale over the last axis. */
export const rmsNorm = (x: Tensor, scale: Tensor, epsilon: number): Tensor =>
  single("rmsNorm", [x, scale], { epsilon });

/** x * mask / keepProbability; `mask` is uint8 zeros and ones of x's shape. */
export const dropout = (x: Tensor, mask: Tensor, keepProbability: number): Tensor =>
  single("dropout", [x, mask], { keepProbability });
