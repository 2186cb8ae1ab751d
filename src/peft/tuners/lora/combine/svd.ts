import { Matrix, QrDecomposition } from "ml-matrix";
import type { CounterRng } from "../../../../random.js";
import type { Computing } from "../../../combination.js";
import { decompose, largestTriplets, type Triplets } from "../initial/decompositions.js";
import { productsOf } from "../initial/products.js";

/** All triplets of B A, where the rank is small from those of a matrix of its size: QR of both, then R_b R_aᵀ. */
export function productTriplets(b: Matrix, a: Matrix): Triplets {
  if (b.columns > Math.min(b.rows, a.columns)) return decompose(b.mmul(a));
  const left = new QrDecomposition(b);
  const right = new QrDecomposition(a.transpose());
  const inner = decompose(left.upperTriangularMatrix.mmul(right.upperTriangularMatrix.transpose()));
  return { u: left.orthogonalMatrix.mmul(inner.u), s: inner.s, v: right.orthogonalMatrix.mmul(inner.v) };
}

/** Up to this many elements a matrix is decomposed whole. */
const SMALL = 2 ** 16;

/** The largest triplets of a full matrix. */
export async function matrixTriplets(
  update: Float64Array,
  [rows, columns]: readonly [number, number],
  count: number,
  host: Computing,
  random: CounterRng,
): Promise<Triplets> {
  const most = Math.min(count, rows, columns);
  if (update.length <= SMALL) return decompose(Matrix.from1DArray(rows, columns, Array.from(update)), most);
  const data = Float32Array.from(update);
  return largestTriplets(productsOf(host, { dtype: "float32", shape: [rows, columns], data }), most, random);
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
  { u, s, v }: Triplets,
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
