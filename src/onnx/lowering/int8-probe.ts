import type { Node, Tensor } from "../../graph/index.js";
import { dtypeCodes } from "../proto/index.js";
import type { Emitter } from "./emitter.js";
import type { Int8Weights } from "./int8.js";
import { outlierFactors } from "./int8-outliers.js";
import { flattened, quantizedRows, tiny } from "./int8-rows.js";
import type { LoweringTable } from "./table.js";

/** What a probe writes for one product: names of graph outputs. */
export interface ProductMeasurement {
  readonly product: string;
  /** The int8 product's relative L2 error. */
  readonly error: string;
  /** Forward products, whose outlier features may be set apart. */
  readonly outliers?: {
    /** The error with those set apart. */
    readonly error: string;
    /** The sum of squares of each feature of the left operand, [inner]. */
    readonly featureSquares: string;
  };
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
      const frozen = weights.productOf(node);
      if (!frozen || typeof exact !== "string") return exact;
      const [left] = node.inputs as [Tensor];
      const reference = flattened(exact, node.outputs[0] as Tensor, e);
      const errorWith = (factors: string | null): string =>
        measurement(relativeError(simulatedProduct(node, factors, e), reference, e), [], e);
      const error = errorWith(null);
      if (node.attributes.transposeB) {
        const features = Number(left.shape.at(-1));
        const x = flattened(e.nameOf(left), left, e);
        const featureSquares = e.memoized(`feature squares:${x}`, () => {
          const axes = e.constant("int64", [1], [0]);
          return measurement(e.emit("ReduceSumSquare", [x, axes], { attributes: { keepdims: 0 } }), [features], e);
        });
        const factors = e.memoized(`outliers:${x}`, () => outlierFactors(featureSquares, features, e));
        measured({ product: frozen.product, error, outliers: { error: errorWith(factors), featureSquares } });
      } else measured({ product: frozen.product, error });
      return exact;
    },
  };
}

function relativeError(x: string, exact: string, e: Emitter): string {
  const attributes = { keepdims: 0 };
  const error = e.emit("ReduceSumSquare", [e.emit("Sub", [x, exact])], { attributes });
  const size = e.emit("Add", [e.emit("ReduceSumSquare", [exact], { attributes }), e.number(tiny)]);
  return e.emit("Sqrt", [e.emit("Div", [error, size])]);
}

/**
 * The int8 product with float32 kernels: both operands are rounded and turned back. A probe runs once; weights that are
 * rounded on the way take no memory before and after.
 * @param factors float32 [inner]: features of the left operand are divided by them and rows of the weight multiplied
 */
function simulatedProduct(node: Node<"matMul">, factors: string | null, e: Emitter): string {
  const [left, right] = node.inputs as [Tensor, Tensor];
  const { transposeB, alpha } = node.attributes;
  const reciprocals = factors && e.memoized(`reciprocals:${factors}`, () => e.emit("Reciprocal", [factors]));
  const { values, zeroPoint, scales } = quantizedRows(left, undefined, reciprocals, e);
  const counts = e.emit("Cast", [values], { attributes: { to: dtypeCodes.float32 } });
  const rows = e.emit("Mul", [e.emit("Sub", [counts, e.number(zeroPoint)]), scales]);

  const axes = e.constant("int64", [1], [transposeB ? 1 : 0]);
  const matrix = factors ? e.emit("Mul", [e.nameOf(right), factors]) : e.nameOf(right);
  const smallest = e.emit("Neg", [e.emit("ReduceMin", [matrix, axes])]);
  const largest = e.emit("Max", [e.emit("ReduceMax", [matrix, axes]), smallest]);
  const steps = e.emit("Add", [e.emit("Mul", [largest, e.number(1 / 127)]), e.number(tiny)]);
  const columns = e.emit("Mul", [e.emit("Round", [e.emit("Div", [matrix, steps])]), steps]);
  const attributes = { transA: 0, transB: transposeB ? 1 : 0, alpha };
  return e.emit("FusedMatMul", [rows, columns], { domain: "com.microsoft", attributes });
}

function measurement(name: string, shape: number[], e: Emitter): string {
  e.measurements.push({ name, dtype: "float32", shape });
  return name;
}
