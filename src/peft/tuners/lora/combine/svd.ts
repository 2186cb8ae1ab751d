import { Matrix, QrDecomposition } from "ml-matrix";
import { largestTriplets } from "../../../../linear-algebra/decompositions.js";
import { decomposed, inMatrices, type SingularDirections } from "../../../../linear-algebra/directions.js";
import { productsOf } from "../../../../linear-algebra/products.js";
import type { CounterRng } from "../../../../random.js";

/** All triplets of B A, where the rank is small from those of a matrix of its size: QR of both, then R_b R_aᵀ. */
export function productTriplets(b: Matrix, a: Matrix): SingularDirections {
  if (b.columns > Math.min(b.rows, a.columns)) return decomposed(b.mmul(a));
  const left = new QrDecomposition(b);
  const right = new QrDecomposition(a.transpose());
  const inner = decomposed(left.upperTriangularMatrix.mmul(right.upperTriangularMatrix.transpose()));
  return { u: left.orthogonalMatrix.mmul(inner.u), s: inner.s, v: right.orthogonalMatrix.mmul(inner.v) };
}

/** Up to this many elements a matrix is decomposed whole. */
const SMALL = 2 ** 16;

/** The largest triplets of a full matrix. */
export function matrixTriplets(
  update: Float64Array,
  [rows, columns]: readonly [number, number],
  count: number,
  random: CounterRng,
): SingularDirections {
  const most = Math.min(count, rows, columns);
  if (update.length <= SMALL) return decomposed(Matrix.from1DArray(rows, columns, Array.from(update)), most);
  const data = Float32Array.from(update);
  return inMatrices(largestTriplets(productsOf({ dtype: "float32", shape: [rows, columns], data }), most, random));
}

/** The value below which a share of all elements lies, between neighbours by straight lines, as torch.quantile has it. */
function quantile(values: Float64Array, share: number): number {
  const sorted = values.slice().sort();
  const at = share * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below] as number;
  return low + (at - below) * ((sorted[Math.min(below + 1, sorted.length - 1)] as number) - low);
}

/**
 * The factors of the best approximation of a rank: B = U S, A = Vᵀ, of more rows than triplets with zeros.
 * @returns row-major [rank, in] and [out, rank]
 */
export function factorsOf(
  { u, s, v }: SingularDirections,
  rank: number,
  clamp: number | null,
): { readonly a: Float32Array; readonly b: Float32Array } {
  const a = new Float64Array(rank * v.rows);
  const b = new Float64Array(u.rows * rank);
  for (let k = 0; k < Math.min(rank, s.length); k++) {
    for (let column = 0; column < v.rows; column++) a[k * v.rows + column] = v.get(column, k);
    for (let row = 0; row < u.rows; row++) b[row * rank + k] = u.get(row, k) * (s[k] as number);
  }
  if (clamp !== null) {
    const bound = quantile(Float64Array.from([...b, ...a]), clamp);
    const cut = (value: number): number => Math.min(Math.max(value, -bound), bound);
    return { a: Float32Array.from(a, cut), b: Float32Array.from(b, cut) };
  }
  return { a: Float32Array.from(a), b: Float32Array.from(b) };
}
