import type { CounterRng } from "../random.js";
import type { TensorData } from "../tensor-data.js";

/** Some vectors of one length in float64, one behind the other: the columns of a tall matrix. */
export interface Vectors {
  readonly length: number;
  readonly count: number;
  readonly data: Float64Array;
}

/** Below this share of its length what is left of a vector is rounding. */
const NOTHING = 1e-13;

/** Below this share the rounding of what was taken away is no longer small beside what is left. */
const HALF = 0.5;

export const vectors = (
  length: number,
  count: number,
  data: Float64Array = new Float64Array(length * count),
): Vectors => ({
  length,
  count,
  data,
});

/** One of them. */
export const vectorAt = ({ length, data }: Vectors, index: number): Float64Array =>
  data.subarray(index * length, (index + 1) * length);

/** The first of them. */
export const firstVectors = ({ length, data }: Vectors, count: number): Vectors =>
  vectors(length, count, data.subarray(0, count * length));

/** N(0, 1). */
export function normalVectors(length: number, count: number, random: CounterRng): Vectors {
  return vectors(
    length,
    count,
    Float64Array.from({ length: length * count }, () => random.normal(0, 1)),
  );
}

/** All of some, in their order. */
export function joinedVectors(parts: readonly Vectors[]): Vectors {
  const length = parts[0]?.length ?? 0;
  const whole = vectors(
    length,
    parts.reduce((sum, { count }) => sum + count, 0),
  );
  let at = 0;
  for (const { data } of parts) {
    whole.data.set(data, at);
    at += data.length;
  }
  return whole;
}

/** x . y */
export function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (y[i] as number);
  return sum;
}

/** y += factor * x */
export function addScaled(y: Float64Array, factor: number, x: Float64Array): void {
  for (let i = 0; i < y.length; i++) y[i] = (y[i] as number) + factor * (x[i] as number);
}

const lengthOf = (x: Float64Array): number => Math.sqrt(dot(x, x));

/** Their combinations: column j of the result is the sum of vector i times weights[i][j]. */
export function combined(parts: Vectors, weights: readonly (readonly number[])[], count: number): Vectors {
  const sums = vectors(parts.length, count);
  for (let i = 0; i < parts.count; i++) {
    for (let j = 0; j < count; j++) addScaled(vectorAt(sums, j), weights[i]?.[j] ?? 0, vectorAt(parts, i));
  }
  return sums;
}

/** Takes away what orthonormal vectors hold of a vector. @returns its length then */
function withoutThese(bases: readonly Vectors[], own: Float64Array): number {
  for (const basis of bases) {
    for (let index = 0; index < basis.count; index++) {
      const other = vectorAt(basis, index);
      addScaled(own, -dot(own, other), other);
    }
  }
  return lengthOf(own);
}

/**
 * What the known ones lack of some vectors, orthonormal. One that they hold whole is replaced by a random one, so that there
 * are as many as before.
 * @param known orthonormal, with room for more
 */
export function orthonormal(known: readonly Vectors[], block: Vectors, random: CounterRng): Vectors {
  const found = vectors(block.length, block.count, block.data.slice());
  for (let column = 0; column < found.count; column++) {
    const own = vectorAt(found, column);
    const bases = [...known, firstVectors(found, column)];
    for (let isLeft = false; !isLeft; ) {
      const before = lengthOf(own);
      let rest = withoutThese(bases, own);
      // Once more where much was taken away, since that leaves rounding of its size.
      if (rest < HALF * before) rest = withoutThese(bases, own);
      isLeft = rest > NOTHING * before;
      for (let i = 0; i < own.length; i++) own[i] = isLeft ? (own[i] as number) / rest : random.normal(0, 1);
    }
  }
  return found;
}

/**
 * A matrix times vectors, summed in float64. Made for few vectors: an engine's product would take longer to set up.
 * @param matrix float32 [rows, columns]
 * @param x of length `columns`
 */
export function product({ data, shape }: TensorData<"float32">, x: Vectors): Vectors {
  const [rows, columns] = shape as [number, number];
  const y = vectors(rows, x.count);
  // Four at a time: each element of the matrix is then read once for all of them.
  for (let at = 0; at < x.count; at += 4) {
    const [a, b, c, d] = [0, 1, 2, 3].map((next) => vectorAt(x, Math.min(at + next, x.count - 1))) as FourVectors;
    for (let row = 0; row < rows; row++) {
      const line = data.subarray(row * columns, (row + 1) * columns);
      let s = 0;
      let t = 0;
      let u = 0;
      let v = 0;
      for (let k = 0; k < columns; k++) {
        const element = line[k] as number;
        s += element * (a[k] as number);
        t += element * (b[k] as number);
        u += element * (c[k] as number);
        v += element * (d[k] as number);
      }
      const sums = [s, t, u, v].slice(0, x.count - at);
      for (const [next, sum] of sums.entries()) y.data[(at + next) * rows + row] = sum;
    }
  }
  return y;
}

type FourVectors = [Float64Array, Float64Array, Float64Array, Float64Array];
