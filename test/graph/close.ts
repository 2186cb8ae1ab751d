import { type TensorData, toFloat32 } from "#graft/tensor-data";

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** The worst element that differs by more than `absolute + relative * |expected|`, in words; null where none does. */
export function difference(actual: TensorData | undefined, expected: TensorData, tolerance: Tolerance): string | null {
  if (!actual) return "no tensor";
  if (actual.dtype !== expected.dtype) return `dtype ${actual.dtype}, expected ${expected.dtype}`;
  if (actual.shape.join() !== expected.shape.join()) return `shape [${actual.shape}], expected [${expected.shape}]`;
  const [left, right] = [toFloat32(actual), toFloat32(expected)];
  let [worst, worstExcess] = [-1, 0];
  for (let i = 0; i < right.length; i++) {
    const [a, b] = [left[i] as number, right[i] as number];
    if (Object.is(a, b) || a === b) continue;
    const excess = Math.abs(a - b) / (tolerance.absolute + tolerance.relative * Math.abs(b));
    // NaN and infinities on one side only are never within a tolerance.
    const size = Number.isFinite(excess) ? excess : Number.POSITIVE_INFINITY;
    if (size > 1 && size > worstExcess) [worst, worstExcess] = [i, size];
  }
  if (worst < 0) return null;
  return `element ${worst} is ${left[worst]}, expected ${right[worst]} (${worstExcess.toPrecision(3)} times the tolerance)`;
}
