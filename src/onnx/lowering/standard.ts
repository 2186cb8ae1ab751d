import { type Dim, type Node, productOf, storedForm, type Tensor } from "../../graph/index.js";
import type { DType } from "../../tensor-data.js";
import { dtypeCodes } from "../proto/index.js";
import type { Emitter } from "./emitter.js";
import type { LoweringRule, LoweringTable } from "./table.js";

const inputNames = (node: Node, e: Emitter): string[] => node.inputs.map((input) => e.nameOf(input));

/** An operator that ONNX has with the same inputs and no attributes. */
const plain =
  (opType: string) =>
  (node: Node, e: Emitter): string =>
    e.emit(opType, inputNames(node, e));

const reduction =
  (opType: string) =>
  (node: Node<"reduceSum" | "reduceMean" | "reduceMax">, e: Emitter): string => {
    const { axes, keepDims } = node.attributes;
    const input = inputNames(node, e);
    if (axes.length === 0) return e.emit("Identity", input);
    const axesInput = e.constant("int64", [axes.length], axes);
    return e.emit(opType, [...input, axesInput], { attributes: { keepdims: keepDims ? 1 : 0 } });
  };

const alongAxis =
  (opType: string) =>
  (node: Node<"softmax" | "logSoftmax" | "concat" | "gather" | "gatherElements">, e: Emitter): string =>
    e.emit(opType, inputNames(node, e), { attributes: { axis: node.attributes.axis } });

/** Swaps the last two axes. */
function swapLastAxes(tensor: Tensor, e: Emitter): string {
  const perm = tensor.shape.map((_, axis) => axis);
  perm.push(...perm.splice(-2).reverse());
  return e.memoized(`swapped:${e.nameOf(tensor)}`, () =>
    e.emit("Transpose", [e.nameOf(tensor)], { attributes: { perm } }),
  );
}

function castTo(name: string, to: DType, e: Emitter): string {
  return e.emit("Cast", [name], { attributes: { to: dtypeCodes[to] } });
}

/** What a weight is stored as, where that is narrower than what graphs compute in. */
const isStored = ({ origin, dtype }: Tensor): boolean =>
  origin.kind === "initializer" && (dtype === "float16" || dtype === "bfloat16");

/** A stored weight is cast anew for each product: in float32 it would take its memory for the whole run. */
const cast: LoweringRule<"cast"> = (node, e) => {
  const [x] = node.inputs as [Tensor];
  const { to } = node.attributes;
  if (!isStored(x)) return castTo(e.nameOf(x), to, e);
  return { again: true, write: () => e.emitFirst("Cast", [e.nameOf(x)], { attributes: { to: dtypeCodes[to] } }) };
};

/** Of a stored table the rows are cast, not the table. */
const gather: LoweringRule<"gather"> = (node, e) => {
  const [table, indices] = node.inputs as [Tensor, Tensor];
  const { axis } = node.attributes;
  const stored = storedForm(table);
  if (!isStored(stored)) return alongAxis("Gather")(node, e);
  const rows = e.emit("Gather", [e.nameOf(stored), e.nameOf(indices)], { attributes: { axis } });
  return castTo(rows, table.dtype, e);
};

/** A value of shape `from` as one of shape `to`. */
export function reshapeTo(name: string, from: readonly Dim[], to: readonly Dim[], e: Emitter): string {
  // A constant target where 0 (same as before) and one -1 (the rest) can say it.
  const dims = to.map((dim, axis) => (typeof dim === "number" ? dim : dim === from[axis] ? 0 : -1));
  const sayable = dims.filter((dim) => dim === -1).length <= 1;
  return e.emit("Reshape", [name, sayable ? e.constant("int64", [dims.length], dims) : e.dimVector(to)]);
}

const reshape: LoweringRule<"reshape"> = (node, e) => {
  const [x] = node.inputs as [Tensor];
  return reshapeTo(e.nameOf(x), x.shape, node.attributes.shape, e);
};

/** Updates are flattened to [outer.., count, inner..] and added at indices spread to the same shape. */
const gatherGradient: LoweringRule<"gatherGradient"> = (node, e) => {
  const [indices, updates] = node.inputs as [Tensor, Tensor];
  const { axis, shape } = node.attributes;
  const count = productOf(indices.shape);
  const spread = [...shape.slice(0, axis), count, ...shape.slice(axis + 1)];
  const column = shape.map((_, position) => (position === axis ? count : 1));
  const flatIndices = e.emit("Reshape", [e.nameOf(indices), e.dimVector(column)]);
  const wideIndices = e.emit("Expand", [flatIndices, e.dimVector(spread)]);
  const flatUpdates = e.emit("Reshape", [e.nameOf(updates), e.dimVector(spread)]);
  const zeros = e.emit("Expand", [e.number(0), e.dimVector(shape)]);
  return e.emit("ScatterElements", [zeros, wideIndices, flatUpdates], { attributes: { axis, reduction: "add" } });
};

/** Phi(x) + x phi(x), times dy. */
const geluGradient: LoweringRule<"geluGradient"> = (node, e) => {
  const [x, dy] = inputNames(node, e) as [string, string];
  const errorFunction = e.emit("Erf", [e.emit("Mul", [x, e.number(Math.SQRT1_2)])]);
  const phi = e.emit("Mul", [e.emit("Add", [errorFunction, e.number(1)]), e.number(0.5)]);
  const exponent = e.emit("Mul", [e.emit("Mul", [x, x]), e.number(-0.5)]);
  const density = e.emit("Mul", [e.emit("Exp", [exponent]), e.number(1 / Math.sqrt(2 * Math.PI))]);
  return e.emit("Mul", [dy, e.emit("Add", [phi, e.emit("Mul", [x, density])])]);
};

/** A mask of zeros and ones as float zeros and 1 / keepProbability; forward and backward share it. */
const dropout: LoweringRule<"dropout"> = (node, e) => {
  const [x, mask] = inputNames(node, e) as [string, string];
  const scale = 1 / node.attributes.keepProbability;
  const scaledMask = e.memoized(`mask:${mask}:${node.attributes.keepProbability}`, () =>
    e.emit("Mul", [castTo(mask, "float32", e), e.number(scale)]),
  );
  return e.emit("Mul", [x, scaledMask]);
};

/** ONNX Runtime's Pow is some twenty times slower than what does for small exponents. */
const pow: LoweringRule<"pow"> = (node, e) => {
  const [x] = inputNames(node, e) as [string];
  const { exponent } = node.attributes;
  if (exponent === 2) return e.emit("Mul", [x, x]);
  if (exponent === 3) return e.emit("Mul", [e.emit("Mul", [x, x]), x]);
  return e.emit("Pow", [x, e.number(exponent)]);
};

/** Every operator in operators of the ONNX standard alone: for files that other programs read. */
export const standardLowering: LoweringTable = {
  matMul(node, e) {
    const [a, b] = node.inputs as [Tensor, Tensor];
    const { transposeA, transposeB, alpha } = node.attributes;
    const left = transposeA ? swapLastAxes(a, e) : e.nameOf(a);
    const right = transposeB ? swapLastAxes(b, e) : e.nameOf(b);
    const product = e.emit("MatMul", [left, right]);
    return alpha === 1 ? product : e.emit("Mul", [product, e.number(alpha)]);
  },
  add: plain("Add"),
  sub: plain("Sub"),
  mul: plain("Mul"),
  div: plain("Div"),
  maximum: plain("Max"),
  minimum: plain("Min"),
  equal: plain("Equal"),
  greater: plain("Greater"),
  less: plain("Less"),
  where: plain("Where"),
  neg: plain("Neg"),
  abs: plain("Abs"),
  exp: plain("Exp"),
  log: plain("Log"),
  sqrt: plain("Sqrt"),
  reciprocal: plain("Reciprocal"),
  sin: plain("Sin"),
  cos: plain("Cos"),
  erf: plain("Erf"),
  tanh: plain("Tanh"),
  sigmoid: plain("Sigmoid"),
  relu: plain("Relu"),
  gelu: plain("Gelu"),
  geluGradient,
  pow,
  cast,
  reduceSum: reduction("ReduceSum"),
  reduceMean: reduction("ReduceMean"),
  reduceMax: reduction("ReduceMax"),
  cumSum: (node, e) => e.emit("CumSum", [...inputNames(node, e), e.constant("int64", [], [node.attributes.axis])]),
  dimension(node, e) {
    const vector = castTo(e.dimVector([node.attributes.dim]), "float32", e);
    return e.emit("Reshape", [vector, e.constant("int64", [0], [])]);
  },
  reshape,
  transpose: (node, e) =>
    e.emit("Transpose", inputNames(node, e), { attributes: { perm: node.attributes.permutation } }),
  expand: (node, e) => e.emit("Expand", [...inputNames(node, e), e.dimVector(node.attributes.shape)]),
  /** Reshape shares x's memory; its shape is `other`'s for the dependency alone, which rewriting by ONNX Runtime could drop. */
  after(node, e) {
    const [x, other] = inputNames(node, e) as [string, string];
    return e.emit("Reshape", [x, e.emit("Shape", [other])]);
  },
  stopGradient: plain("Identity"),
  concat: alongAxis("Concat"),
  slice(node, e) {
    const { axis, start, end } = node.attributes;
    const axes = e.constant("int64", [1], [axis]);
    return e.emit("Slice", [...inputNames(node, e), e.dimVector([start]), e.dimVector([end]), axes]);
  },
  pad(node, e) {
    const { axis, before, after } = node.attributes;
    const axes = e.constant("int64", [1], [axis]);
    return e.emit("Pad", [...inputNames(node, e), e.dimVector([before, after]), "", axes]);
  },
  gather,
  gatherGradient,
  gatherElements: alongAxis("GatherElements"),
  scatterElementsAdd: (node, e) =>
    e.emit("ScatterElements", inputNames(node, e), {
      attributes: { axis: node.attributes.axis, reduction: "add" },
    }),
  softmax: alongAxis("Softmax"),
  logSoftmax: alongAxis("LogSoftmax"),
  layerNorm: (node, e) =>
    e.emitAll("LayerNormalization", inputNames(node, e), {
      attributes: { axis: -1, epsilon: node.attributes.epsilon },
      outputs: 3,
    }),
  // In plain operators: the standard's own one is younger than the opset that exported files are written for.
  rmsNorm(node, e) {
    const [x, weight] = inputNames(node, e) as [string, string];
    const axes = e.constant("int64", [1], [-1]);
    const square = e.emit("ReduceMean", [e.emit("Mul", [x, x]), axes], { attributes: { keepdims: 1 } });
    const root = e.emit("Sqrt", [e.emit("Add", [square, e.number(node.attributes.epsilon)])]);
    const inverse = e.emit("Div", [e.number(1), root]);
    return [e.emit("Mul", [e.emit("Mul", [x, inverse]), weight]), inverse];
  },
  dropout,
};
