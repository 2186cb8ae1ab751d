import { type Node, productOf, type Tensor } from "../../graph/index.js";
import type { Emitter } from "./emitter.js";
import type { LoweringRule, LoweringTable } from "./table.js";

const microsoft = "com.microsoft";

/** A feature that is much larger than the others of its tensor: divided by the factor here, multiplied into the weight. */
export interface OutlierFeature {
  readonly feature: number;
  /** A power of two, so that nothing is rounded. */
  readonly factor: number;
}

/** A frozen weight in int8, as the right operand of a product: values [inner, columns], one scale per column. */
export interface QuantizedWeight {
  /** Names the product: the weight and the direction, e.g. `encoder.layer.0.output.dense.weight (backward)`. */
  readonly product: string;
  readonly values: string;
  readonly scales: string;
  /** Factors that the weight's rows hold already. */
  readonly outliers: readonly OutlierFeature[];
}

/** Decides which products are int8 and names their weights, which the engine adds to the model. */
export interface Int8Weights {
  /** The quantised right operand of a product; null where the product stays float32. */
  of(node: Node<"matMul">): QuantizedWeight | null;
}

/** A [rows, columns] value whose row factors are still to be multiplied in. */
interface RowScaled {
  readonly values: string;
  /** float32 [rows, 1] */
  readonly scales: string;
}

/** Keeps 0 / 0 away from rows of zeros. */
const tiny = 1e-30;

const shapeOf2d = (tensor: Tensor) => [productOf(tensor.shape.slice(0, -1)), tensor.shape.at(-1) ?? 1] as const;

function flattened(name: string, tensor: Tensor, e: Emitter): string {
  if (tensor.shape.length === 2) return name;
  const shape = shapeOf2d(tensor);
  return e.memoized(`rows:${name}`, () =>
    e.describe(e.emit("Reshape", [name, e.dimVector([-1, shape[1]])]), { dtype: tensor.dtype, shape }),
  );
}

/** The rows with their outlier features made smaller. */
function smoothed(x: string, tensor: Tensor, outliers: readonly OutlierFeature[], e: Emitter): string {
  if (outliers.length === 0) return x;
  const factors = new Array<number>(Number(tensor.shape.at(-1))).fill(1);
  for (const { feature, factor } of outliers) factors[feature] = 1 / factor;
  const inverse = e.constant("float32", [factors.length], factors);
  return e.memoized(`smoothed:${x}:${inverse}`, () => e.emit("Mul", [x, inverse]));
}

/**
 * Products with frozen weights in int8 (SwitchBack, Wortsman et al. 2023): the left operand is rounded to uint8 with a
 * scale per row (the fast kernels multiply uint8 by int8), the weight to int8 with a scale per column.
 *
 * Row scales are multiplied in as late as possible: a product of rounded rows, times an elementwise factor, into the
 * next rounded product needs them only once, at its narrow end.
 */
export function int8Lowering(base: LoweringTable, weights: Int8Weights): LoweringTable {
  const rowScaled = new Map<Tensor, RowScaled>();

  const deferred = (tensor: Tensor, value: RowScaled, e: Emitter) => {
    rowScaled.set(tensor, value);
    return {
      write: () => {
        const scaled = e.emit("Mul", [value.values, value.scales]);
        return tensor.shape.length === 2 ? scaled : e.emit("Reshape", [scaled, e.dimVector(tensor.shape)]);
      },
    };
  };

  const matMul: LoweringRule<"matMul"> = (node, e) => {
    const weight = weights.of(node);
    if (!weight) return base.matMul(node, e);
    const [left] = node.inputs as [Tensor];
    const rows = quantizedRows(left, rowScaled.get(left), weight.outliers, e);
    return deferred(node.outputs[0] as Tensor, { values: integerProduct(rows, weight, e), scales: rows.scales }, e);
  };

  const mul: LoweringRule<"mul"> = (node, e) => {
    const [a, b] = node.inputs as [Tensor, Tensor];
    const [output] = node.outputs as [Tensor];
    const scaled = rowScaled.get(a);
    const sameShape = a.shape.join() === b.shape.join();
    if (!scaled || !sameShape || !feedsProductsOnly(output, e)) return base.mul(node, e);
    const values = e.emit("Mul", [scaled.values, flattened(e.nameOf(b), b, e)]);
    return deferred(output, { values, scales: scaled.scales }, e);
  };

  return { ...base, matMul, mul };
}

/** What a probe writes for one product: names of graph outputs. */
export interface ProductMeasurement {
  readonly product: string;
  /** The int8 product's relative L2 error. */
  readonly error: string;
  /** Forward products: the sum of squares of each feature of the left operand, [inner]. */
  readonly featureSquares?: string;
}

/** Products in float32, each compared with its int8 form: what the guard wants to know is written on the way. */
export function int8ProbeLowering(
  base: LoweringTable,
  weights: Int8Weights,
  measured: (measurement: ProductMeasurement) => void,
): LoweringTable {
  return {
    ...base,
    matMul(node, e) {
      const exact = base.matMul(node, e);
      const weight = weights.of(node);
      if (!weight || typeof exact !== "string") return exact;
      const { product, outliers } = weight;
      const [left] = node.inputs as [Tensor];
      const rows = quantizedRows(left, undefined, outliers, e);
      const rounded = e.emit("Mul", [integerProduct(rows, weight, e), rows.scales]);
      const reference = flattened(exact, node.outputs[0] as Tensor, e);
      const difference = e.emit("Sub", [rounded, reference]);
      const attributes = { keepdims: 0 };
      const errorSquare = e.emit("ReduceSumSquare", [difference], { attributes });
      const square = e.emit("Add", [e.emit("ReduceSumSquare", [reference], { attributes }), e.number(tiny)]);
      const error = measurement(e.emit("Sqrt", [e.emit("Div", [errorSquare, square])]), [], e);
      if (!node.attributes.transposeB) {
        measured({ product, error });
        return exact;
      }
      const x = flattened(e.nameOf(left), left, e);
      const featureSquares = e.memoized(`feature squares:${x}`, () => {
        const squares = e.emit("ReduceSumSquare", [x, e.constant("int64", [1], [0])], { attributes });
        return measurement(squares, [Number(left.shape.at(-1))], e);
      });
      measured({ product, error, featureSquares });
      return exact;
    },
  };
}

function measurement(name: string, shape: number[], e: Emitter): string {
  e.measurements.push({ name, dtype: "float32", shape });
  return name;
}

interface QuantizedRows {
  /** uint8 [rows, inner] */
  readonly values: string;
  /** The number that stands for 0. */
  readonly zeroPoint: number;
  /** float32 [rows, 1] */
  readonly scales: string;
}

const symmetric = 128;

/** For what reaches less far below 0 than above: rows are rounded in steps of little more than half the size. */
const oneSided = 24;

/** GELU's smallest value, rounded down. */
const geluMinimum = -0.17;

/** One rounding serves all products that read the tensor. */
function quantizedRows(
  tensor: Tensor,
  scaled: RowScaled | undefined,
  outliers: readonly OutlierFeature[],
  e: Emitter,
): QuantizedRows {
  const minimum = minimumOf(tensor);
  const zeroPoint = minimum === null ? symmetric : oneSided;
  const x = smoothed(scaled ? scaled.values : flattened(e.nameOf(tensor), tensor, e), tensor, outliers, e);
  const axes = e.constant("int64", [1], [1]);
  const rowScales = e.memoized(`row scales:${x}`, () => {
    const above = e.emit("Mul", [e.emit("ReduceMax", [x, axes]), e.number(1 / (255 - zeroPoint))]);
    const below =
      minimum === null
        ? e.emit("Mul", [e.emit("ReduceMin", [x, axes]), e.number(-1 / (zeroPoint - 1))])
        : e.number(-minimum / (zeroPoint - 1));
    return e.emit("Add", [e.emit("Max", [above, below]), e.number(tiny)]);
  });
  const values = e.memoized(`rounded rows:${x}`, () => {
    const shape = [shapeOf2d(tensor)[0]];
    const scales = e.emit("Reshape", [rowScales, e.constant("int64", [1], [-1])]);
    const zeroPoints = e.emit("Expand", [e.constant("uint8", [1], [zeroPoint]), e.emit("Shape", [scales])]);
    e.describe(scales, { dtype: "float32", shape });
    e.describe(zeroPoints, { dtype: "uint8", shape });
    return e.emit("QuantizeLinear", [x, scales, zeroPoints], { attributes: { axis: 0 } });
  });
  if (!scaled) return { values, zeroPoint, scales: rowScales };
  const scales = e.memoized(`combined scales:${x}`, () => e.emit("Mul", [rowScales, scaled.scales]));
  return { values, zeroPoint, scales };
}

/** The product without the row scales: float32 [rows, columns]. */
function integerProduct(rows: QuantizedRows, weight: QuantizedWeight, e: Emitter): string {
  const zeroPoint = e.constant("uint8", [], [rows.zeroPoint]);
  return e.emit("MatMulIntegerToFloat", [rows.values, weight.values, e.number(1), weight.scales, zeroPoint], {
    domain: microsoft,
  });
}

/** What no element is below, where that is little: GELU, or sqrt(2) GELU as the peepholes write it, u (1 + erf(u)). */
function minimumOf({ origin }: Tensor): number | null {
  if (origin.kind !== "node") return null;
  const { op, inputs } = origin.node;
  if (op === "gelu") return geluMinimum;
  return op === "mul" && inputs.some(isShiftedErf) ? geluMinimum * Math.SQRT2 : null;
}

const isShiftedErf = ({ origin }: Tensor): boolean =>
  origin.kind === "node" && origin.node.op === "add" && origin.node.inputs.some(isErf);

const isErf = ({ origin }: Tensor): boolean => origin.kind === "node" && origin.node.op === "erf";

function feedsProductsOnly(tensor: Tensor, e: Emitter): boolean {
  const readers = e.facts.readers.get(tensor) ?? [];
  return readers.length > 0 && readers.every((reader) => reader.op === "matMul" && reader.inputs[0] === tensor);
}
