import type { Emitter } from "./emitter.js";
import { tiny } from "./int8-rows.js";

/** A feature that is much larger than the others of its tensor: divided by the factor here, multiplied into the weight. */
export interface OutlierFeature {
  readonly feature: number;
  /** A power of two, so that nothing is rounded. */
  readonly factor: number;
}

/** A feature is an outlier when its root mean square is this many times the median feature's. */
const outlierRatio = 2;

/**
 * Features far above the median, each with the power of two nearest to the square root of how far: half of an outlier
 * stays in the activation and half goes into the weight, as SmoothQuant (Xiao et al. 2023) does with all features.
 * @param squares sum of squares of each feature
 */
export function outlierFeatures(squares: Float32Array): OutlierFeature[] {
  const median = squares.toSorted()[squares.length >> 1] ?? 0;
  if (!(median > 0)) return [];
  return [...squares].flatMap((square, feature) => {
    const ratio = Math.sqrt(square / median);
    return ratio > outlierRatio ? [{ feature, factor: 2 ** Math.round(Math.log2(ratio) / 2) }] : [];
  });
}

/**
 * The same in the graph: the factor of every feature, 1 where it is no outlier.
 * @param squares float32 [features]
 */
export function outlierFactors(squares: string, features: number, e: Emitter): string {
  // The last of these stands at position length >> 1 in ascending order.
  const count = e.constant("int64", [1], [features - (features >> 1)]);
  const [upper] = e.emitAll("TopK", [squares, count], { outputs: 2 });
  const median = e.emit("Gather", [upper as string, e.constant("int64", [], [-1])]);
  const ratio = e.emit("Sqrt", [e.emit("Div", [squares, e.emit("Max", [median, e.number(tiny)])])]);
  const halfLog = e.emit("Mul", [e.emit("Log", [ratio]), e.number(0.5 / Math.LN2)]);
  const factor = e.emit("Pow", [e.number(2), e.emit("Round", [halfLog])]);
  return e.emit("Where", [e.emit("Greater", [ratio, e.number(outlierRatio)]), factor, e.number(1)]);
}
