import { EigenvalueDecomposition, Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import type { CounterRng } from "../random.js";
import type { Products } from "./products.js";

/** W ~ U diag(s) V^T: left vectors in the columns of u, right ones in those of v, the largest value first. */
export interface Triplets {
  readonly u: Matrix;
  readonly s: readonly number[];
  readonly v: Matrix;
}

/** How far vectors that count as singular may be from being so, relative to the largest value: what float32 can tell. */
const TOLERANCE = 1e-6;

/** Blocks of a basis before it is first looked at, and how much it grows from one look to the next: a look is dear. */
const LEAST_BASIS = 4;
const GROWTH = 1.3;

/** An orthonormal basis of the columns. */
export const basisOf = (matrix: Matrix): Matrix => new QrDecomposition(matrix).orthogonalMatrix;

/** N(0, 1). */
export function randomNormal(rows: number, columns: number, random: CounterRng): Matrix {
  const matrix = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) matrix.set(i, j, random.normal(0, 1));
  return matrix;
}

const firstColumns = (matrix: Matrix, count: number): Matrix => matrix.subMatrix(0, matrix.rows - 1, 0, count - 1);

/** Matrices side by side. */
function beside(parts: readonly Matrix[]): Matrix {
  const rows = (parts[0] as Matrix).rows;
  const whole = new Matrix(
    rows,
    parts.reduce((sum, { columns }) => sum + columns, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.setSubMatrix(part, 0, at);
    at += part.columns;
  }
  return whole;
}

/** All triplets of a small matrix, or as many as are asked for. */
export function decompose(matrix: Matrix, count = Math.min(matrix.rows, matrix.columns)): Triplets {
  const { leftSingularVectors, rightSingularVectors, diagonal } = new SingularValueDecomposition(matrix, {
    autoTranspose: true,
  });
  return {
    u: firstColumns(leftSingularVectors, count),
    s: diagonal.slice(0, count),
    v: firstColumns(rightSingularVectors, count),
  };
}

/** What a basis lacks, orthonormal; twice, since once leaves rounding of the size of what was taken away. */
function orthogonalTo(known: readonly Matrix[], block: Matrix): Matrix {
  let rest = block;
  for (let pass = 0; pass < 2; pass++) {
    for (const basis of known) rest = Matrix.sub(rest, basis.mmul(basis.transpose().mmul(rest)));
    rest = basisOf(rest);
  }
  return rest;
}

/** Triplets of a projected matrix of some hundred columns, by the eigenvectors of B^T B. */
function projected(b: Matrix, count: number): Triplets {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(b.transpose().mmul(b), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, index) => index).sort((x, y) => realEigenvalues[y]! - realEigenvalues[x]!);
  const columns = order.slice(0, count);
  const rows = Array.from({ length: b.columns }, (_, index) => index);
  const v = new Matrix(eigenvectorMatrix.selection(rows, columns));
  const s = columns.map((column) => Math.sqrt(Math.max(realEigenvalues[column] as number, 0)));
  const u = b.mmul(v);
  for (const [column, value] of s.entries()) u.mulColumn(column, value > 0 ? 1 / value : 0);
  return { u, s, v };
}

/** The length of the longest column. */
const longestColumn = (matrix: Matrix): number =>
  Math.max(
    ...Array.from({ length: matrix.columns }, (_, column) => Math.hypot(...Array.from(matrix.getColumn(column)))),
  );

/**
 * The triplets of the largest singular values, by block Golub-Kahan bidiagonalisation with full orthogonalisation: it asks for
 * products with the matrix alone, a block at a time, until the triplets are accurate to `TOLERANCE`.
 */
export async function largestTriplets(products: Products, count: number, random: CounterRng): Promise<Triplets> {
  const most = Math.min(products.rows, products.columns);
  const lefts: Matrix[] = [];
  const rights = [basisOf(randomNormal(products.columns, Math.min(count, most), random))];
  const images: Matrix[] = [];
  const backImages: Matrix[] = [];
  let nextCheck = LEAST_BASIS * count;
  for (;;) {
    images.push(await products.times(rights.at(-1) as Matrix));
    lefts.push(orthogonalTo(lefts, images.at(-1) as Matrix));
    backImages.push(await products.transposedTimes(lefts.at(-1) as Matrix));
    const columns = rights.reduce((sum, block) => sum + block.columns, 0);
    const room = most - columns;
    const next = (): Matrix => {
      const block = orthogonalTo(rights, backImages.at(-1) as Matrix);
      return block.columns > room ? firstColumns(block, room) : block;
    };
    if (columns < nextCheck && room > 0) {
      rights.push(next());
      continue;
    }
    nextCheck = columns * GROWTH;
    const [left, right] = [beside(lefts), beside(rights)];
    const inner = projected(left.transpose().mmul(beside(images)), count);
    const triplets = { u: left.mmul(inner.u), s: inner.s, v: right.mmul(inner.v) };
    const expected = triplets.v.clone();
    for (const [column, value] of triplets.s.entries()) expected.mulColumn(column, value);
    const error = longestColumn(Matrix.sub(beside(backImages).mmul(inner.u), expected));
    if (room === 0 || error <= TOLERANCE * (triplets.s[0] as number)) return triplets;
    rights.push(next());
  }
}

/**
 * Triplets by randomised subspace iteration (Halko et al. 2011, algorithm 4.4), as PyTorch's `svd_lowrank` has it: no
 * more random vectors than triplets.
 */
export async function randomisedTriplets(
  products: Products,
  count: number,
  iterations: number,
  random: CounterRng,
): Promise<Triplets> {
  let basis = basisOf(await products.times(randomNormal(products.columns, count, random)));
  for (let iteration = 0; iteration < iterations; iteration++) {
    const right = basisOf(await products.transposedTimes(basis));
    basis = basisOf(await products.times(right));
  }
  const { u, s, v } = decompose((await products.transposedTimes(basis)).transpose());
  return { u: basis.mmul(u), s, v };
}

/** The left singular vectors of the smallest singular values, the smallest last. */
export function minorLeftVectors(matrix: Matrix, count: number): Matrix {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix.mmul(matrix.transpose()), {
    assumeSymmetric: true,
  });
  // A tall matrix has vectors besides that belong to no singular value.
  const order = realEigenvalues.map((_, index) => index).sort((x, y) => realEigenvalues[y]! - realEigenvalues[x]!);
  const all = order.slice(0, Math.min(matrix.rows, matrix.columns));
  const rows = Array.from({ length: matrix.rows }, (_, index) => index);
  return new Matrix(eigenvectorMatrix.selection(rows, all.slice(-count)));
}
