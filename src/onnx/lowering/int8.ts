import { type Node, productOf, type Tensor } from "../../graph/index.js";
import type { Emitter } from "./emitter.js";
import type { LoweringRule, LoweringTable } from "./table.js";

const microsoft = "com.microsoft";

/** A frozen weight in int8, as the right operand of a product: values [inner, columns], one scale per column. */
export interface QuantizedWeight {
  /** Names the product: the weight and the direction, e.g. `encoder.layer.0.output.dense.weight (backward)`. */
  readonly product: string;
  readonly values: string;
  readonly scales: string;
}

/** Decides which products are int8 and declares their weights. */
export interface Int8Weights {
  /** The quantised right operand of a product; null where the product stays float32. */
  of(node: Node<"matMul">, emitter: Emitter): QuantizedWeight | null;
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

/**
 * Products with frozen weights in int8 (SwitchBack, Wortsman et al. 2023): the left operand is rounded to uint8 with a
 * scale per row (zero point 128: the fast kernels multiply uint8 by int8), the weight to int8 with a scale per column.
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
    const weight = weights.of(node, e);
    if (!weight) return base.matMul(node, e);
    const [left] = node.inputs as [Tensor];
    const rows = quantizedRows(left, rowScaled.get(left), e);
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

/** Products in float32, each compared with its int8 form: the relative L2 errors are measurements of the graph. */
export function int8ProbeLowering(
  base: LoweringTable,
  weights: Int8Weights,
  measured: (product: string, output: string) => void,
): LoweringTable {
  return {
    ...base,
    matMul(node, e) {
      const exact = base.matMul(node, e);
      const weight = weights.of(node, e);
      if (!weight || typeof exact !== "string") return exact;
      const [left] = node.inputs as [Tensor];
      const rows = quantizedRows(left, undefined, e);
      const rounded = e.emit("Mul", [integerProduct(rows, weight, e), rows.scales]);
      const reference = flattened(exact, node.outputs[0] as Tensor, e);
      const difference = e.emit("Sub", [rounded, reference]);
      const attributes = { keepdims: 0 };
      const errorSquare = e.emit("ReduceSumSquare", [difference], { attributes });
      const square = e.emit("Add", [e.emit("ReduceSumSquare", [reference], { attributes }), e.number(tiny)]);
      const output = e.emit("Sqrt", [e.emit("Div", [errorSquare, square])]);
      e.measurements.push(output);
      measured(weight.product, output);
      return exact;
    },
  };
}

interface QuantizedRows {
  /** uint8 [rows, inner], zero point 128 */
  readonly values: string;
  /** float32 [rows, 1] */
  readonly scales: string;
}

/** One rounding serves all products that read the tensor. */
function quantizedRows(tensor: Tensor, scaled: RowScaled | undefined, e: Emitter): QuantizedRows {
  const x = scaled ? scaled.values : flattened(e.nameOf(tensor), tensor, e);
  const axes = e.constant("int64", [1], [1]);
  const rowScales = e.memoized(`row scales:${x}`, () => {
    const largest = e.emit("ReduceMax", [x, axes]);
    const smallest = e.emit("ReduceMin", [x, axes]);
    const magnitude = e.emit("Max", [largest, e.emit("Neg", [smallest])]);
    return e.emit("Add", [e.emit("Mul", [magnitude, e.number(1 / 127)]), e.number(tiny)]);
  });
  const values = e.memoized(`rounded rows:${x}`, () => {
    const shape = [shapeOf2d(tensor)[0]];
    const scales = e.emit("Reshape", [rowScales, e.constant("int64", [1], [-1])]);
    const zeroPoints = e.emit("Expand", [e.constant("uint8", [1], [128]), e.emit("Shape", [scales])]);
    e.describe(scales, { dtype: "float32", shape });
    e.describe(zeroPoints, { dtype: "uint8", shape });
    return e.emit("QuantizeLinear", [x, scales, zeroPoints], { attributes: { axis: 0 } });
  });
  if (!scaled) return { values, scales: rowScales };
  const scales = e.memoized(`combined scales:${x}`, () => e.emit("Mul", [rowScales, scaled.scales]));
  return { values, scales };
}

/** The product without the row scales: float32 [rows, columns]. */
function integerProduct(rows: QuantizedRows, weight: QuantizedWeight, e: Emitter): string {
  const zeroPoint = e.constant("uint8", [], [128]);
  return e.emit("MatMulIntegerToFloat", [rows.values, weight.values, e.number(1), weight.scales, zeroPoint], {
    domain: microsoft,
  });
}

function feedsProductsOnly(tensor: Tensor, e: Emitter): boolean {
  const readers = e.facts.readers.get(tensor) ?? [];
  return readers.length > 0 && readers.every((reader) => reader.op === "matMul" && reader.inputs[0] === tensor);
}
