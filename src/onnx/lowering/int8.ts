import type { Node, Tensor } from "../../graph/index.js";
import type { Emitter } from "./emitter.js";
import type { OutlierFeature } from "./int8-outliers.js";
import { flattened, type QuantizedRows, quantizedRows, type RowScaled } from "./int8-rows.js";
import type { LoweringRule, LoweringTable } from "./table.js";

const microsoft = "com.microsoft";

/** What stands for 0 in a uint8 weight. */
export const weightZeroPoint = 128;

/** A product with a frozen weight that is to be computed in int8. */
export interface FrozenProduct {
  /** The weight and the direction, e.g. `encoder.layer.0.output.dense.weight (backward)`. */
  readonly product: string;
  /** Features of the left operand to set apart. */
  readonly outliers: readonly OutlierFeature[];
}

/** uint8 weights are int8 ones plus 128: the same integers for kernels that are inexact with int8. */
export type WeightType = "int8" | "uint8";

/** The right operand in int8: names of values [inner, columns] and of scales, one per column. */
export interface QuantizedWeight {
  readonly values: string;
  readonly scales: string;
  readonly dtype: WeightType;
}

/** Decides which products are int8 and names their weights. */
export interface Int8Weights {
  /** null where the product stays float32. */
  productOf(node: Node<"matMul">): FrozenProduct | null;
  /** The weight of such a product, its rows multiplied by the outliers' factors; the engine adds it to the model. */
  weightOf(node: Node<"matMul">, product: FrozenProduct): QuantizedWeight;
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
    const product = weights.productOf(node);
    if (!product) return base.matMul(node, e);
    const weight = weights.weightOf(node, product);
    const [left] = node.inputs as [Tensor];
    const rows = quantizedRows(left, rowScaled.get(left), reciprocals(left, product.outliers, e), e);
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

/** The product without the row scales: float32 [rows, columns]. */
function integerProduct(rows: QuantizedRows, weight: QuantizedWeight, e: Emitter): string {
  const zeroPoint = e.constant("uint8", [], [rows.zeroPoint]);
  const operands = [rows.values, weight.values, e.number(1), weight.scales, zeroPoint];
  if (weight.dtype === "uint8") operands.push(e.constant("uint8", [], [weightZeroPoint]));
  return e.emit("MatMulIntegerToFloat", operands, { domain: microsoft });
}

/** What brings a tensor's outlier features down; null where there are none. */
function reciprocals(tensor: Tensor, outliers: readonly OutlierFeature[], e: Emitter): string | null {
  if (outliers.length === 0) return null;
  const factors = new Array<number>(Number(tensor.shape.at(-1))).fill(1);
  for (const { feature, factor } of outliers) factors[feature] = 1 / factor;
  return e.constant("float32", [factors.length], factors);
}

function feedsProductsOnly(tensor: Tensor, e: Emitter): boolean {
  const readers = e.facts.readers.get(tensor) ?? [];
  return readers.length > 0 && readers.every((reader) => reader.op === "matMul" && reader.inputs[0] === tensor);
}
