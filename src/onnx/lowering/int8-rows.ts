import { productOf, type Tensor } from "../../graph/index.js";
import type { Emitter } from "./emitter.js";

/** A [rows, columns] value whose row factors are still to be multiplied in. */
export interface RowScaled {
  readonly values: string;
  /** float32 [rows, 1] */
  readonly scales: string;
}

/** Keeps 0 / 0 away from rows of zeros. */
export const tiny = 1e-30;

const shapeOf2d = (tensor: Tensor) => [productOf(tensor.shape.slice(0, -1)), tensor.shape.at(-1) ?? 1] as const;

/** [.., columns] as [rows, columns]. */
export function flattened(name: string, tensor: Tensor, e: Emitter): string {
  if (tensor.shape.length === 2) return name;
  const shape = shapeOf2d(tensor);
  return e.memoized(`rows:${name}`, () =>
    e.describe(e.emit("Reshape", [name, e.dimVector([-1, shape[1]])]), { dtype: tensor.dtype, shape }),
  );
}

/** The left operand of an int8 product. */
export interface QuantizedRows {
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

/**
 * Rounds each row in steps of its own. One rounding serves all products that read the tensor.
 * @param factors float32 [inner]: what features are multiplied by before; null: none
 */
export function quantizedRows(
  tensor: Tensor,
  scaled: RowScaled | undefined,
  factors: string | null,
  e: Emitter,
): QuantizedRows {
  const minimum = minimumOf(tensor);
  const zeroPoint = minimum === null ? symmetric : oneSided;
  const given = scaled ? scaled.values : flattened(e.nameOf(tensor), tensor, e);
  const x = factors === null ? given : e.memoized(`${given} x ${factors}`, () => e.emit("Mul", [given, factors]));
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

/** What no element is below, where that is little: GELU, or sqrt(2) GELU as the peepholes write it, u (1 + erf(u)). */
function minimumOf({ origin }: Tensor): number | null {
  if (origin.kind !== "node") return null;
  const { op, inputs } = origin.node;
  if (op === "after") return minimumOf(inputs[0] as Tensor);
  if (op === "gelu") return geluMinimum;
  return op === "mul" && inputs.some(isShiftedErf) ? geluMinimum * Math.SQRT2 : null;
}

const isShiftedErf = ({ origin }: Tensor): boolean =>
  origin.kind === "node" && origin.node.op === "add" && origin.node.inputs.some(isErf);

const isErf = ({ origin }: Tensor): boolean => origin.kind === "node" && origin.node.op === "erf";
