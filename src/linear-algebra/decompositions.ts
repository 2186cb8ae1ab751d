import { EigenvalueDecomposition, Matrix, QrDecomposition, SingularValueDecomposition } from "ml-matrix";
import type { CounterRng } from "../random.js";
import type { Products } from "./products.js";
import {
  addScaled,
  combined,
  dot,
  firstVectors,
  joinedVectors,
  normalVectors,
  orthonormal,
  type Vectors,
  vectorAt,
} from "./vectors.js";

/** W ~ U diag(s) V^T: left vectors in u, right ones in v, the largest value first. */
export interface Triplets {
  readonly u: Vectors;
  readonly s: readonly number[];
  readonly v: Vectors;
}

/** How far vectors that count as singular may be from being so, relative to the largest value: what float32 can tell. */
const TOLERANCE = 1e-6;

/** Blocks of a basis before it is first looked at, and how much it grows from one look to the next: a look is dear. */
const LEAST_BASIS = 4;
const GROWTH = 1.4;

/** An orthonormal basis of the columns. */
export const basisOf = (matrix: Matrix): Matrix => new QrDecomposition(matrix).orthogonalMatrix;

/** N(0, 1). */
export function randomNormal(rows: number, columns: number, random: CounterRng): Matrix {
  const matrix = new Matrix(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) matrix.set(i, j, random.normal(0, 1));
  return matrix;
}

/** The first columns as vectors. */
export const columnsOf = (matrix: Matrix, count: number): Vectors => ({
  length: matrix.rows,
  count,
  data: Float64Array.from(
    matrix
      .subMatrix(0, matrix.rows - 1, 0, count - 1)
      .transpose()
      .to1DArray(),
  ),
});

/** All triplets of a small matrix, or as many as are asked for. */
export function decompose(matrix: Matrix, count = Math.min(matrix.rows, matrix.columns)): Triplets {
  const { leftSingularVectors, rightSingularVectors, diagonal } = new SingularValueDecomposition(matrix, {
    autoTranspose: true,
  });
  return {
    u: columnsOf(leftSingularVectors, count),
    s: diagonal.slice(0, count),
    v: columnsOf(rightSingularVectors, count),
  };
}

/** Weights of a projected matrix's triplets: rows are the basis' vectors. */
interface Projected {
  readonly u: number[][];
  readonly s: number[];
  readonly v: number[][];
}

/** Triplets of a projected matrix of some hundred columns, by the eigenvectors of B^T B. */
function projected(b: Matrix, count: number): Projected {
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
  return { u: u.to2DArray(), s, v: v.to2DArray() };
}

/** How far W^T u is from s v, at worst. */
function errorOf(images: Vectors, { u, s, v }: Projected, rights: Vectors): number {
  const [found, expected] = [combined(images, u, s.length), combined(rights, v, s.length)];
  const errors = s.map((value, column) => {
    const difference = vectorAt(found, column);
    addScaled(difference, -value, vectorAt(expected, column));
    return Math.sqrt(dot(difference, difference));
  });
  return Math.max(...errors);
}

/** The basis of the two spaces, and the matrix between them: block by block, it is zero but for two blocks a column. */
class Bidiagonal {
  readonly lefts: Vectors[] = [];
  readonly rights: Vectors[] = [];
  /** W^T of the lefts. */
  readonly backImages: Vectors[] = [];
  private readonly entries: { readonly row: number; readonly column: number; readonly value: number }[] = [];

  constructor(
    private readonly products: Products,
    private readonly random: CounterRng,
  ) {}

  get columns(): number {
    return this.rights.reduce((sum, { count }) => sum + count, 0);
  }

  /** Adds a block of right vectors, and what the matrix makes of it. */
  add(right: Vectors): void {
    const at = this.columns;
    this.rights.push(right);
    const image = this.products.times(right);
    const left = orthonormal(this.lefts, image, this.random);
    const previous = this.lefts.at(-1);
    if (previous) this.enter(previous, at - previous.count, image, at);
    this.enter(left, at, image, at);
    this.lefts.push(left);
    this.backImages.push(this.products.transposedTimes(left));
  }

  /** Right vectors that there are none of yet, at most so many. */
  next(most: number): Vectors {
    const last = this.backImages.at(-1) as Vectors;
    return orthonormal(this.rights, firstVectors(last, Math.min(last.count, most)), this.random);
  }

  matrix(): Matrix {
    const matrix = Matrix.zeros(this.columns, this.columns);
    for (const { row, column, value } of this.entries) matrix.set(row, column, value);
    return matrix;
  }

  private enter(left: Vectors, row: number, image: Vectors, column: number): void {
    for (let i = 0; i < left.count; i++) {
      for (let j = 0; j < image.count; j++) {
        const value = dot(vectorAt(left, i), vectorAt(image, j));
        this.entries.push({ row: row + i, column: column + j, value });
      }
    }
  }
}

/**
 * The triplets of the largest singular values, by block Golub-Kahan bidiagonalisation with full orthogonalisation: it asks for
 * products with the matrix alone, a block at a time, until the triplets are accurate to `TOLERANCE`.
 */
export function largestTriplets(products: Products, count: number, random: CounterRng): Triplets {
  const most = Math.min(products.rows, products.columns);
  const basis = new Bidiagonal(products, random);
  basis.add(orthonormal([], normalVectors(products.columns, Math.min(count, most), random), random));
  for (let nextLook = LEAST_BASIS * count; ; ) {
    const room = most - basis.columns;
    if (basis.columns >= nextLook || room === 0) {
      const inner = projected(basis.matrix(), count);
      const rights = joinedVectors(basis.rights);
      const error = errorOf(joinedVectors(basis.backImages), inner, rights);
      if (room === 0 || error <= TOLERANCE * (inner.s[0] as number)) {
        const { u, s, v } = inner;
        return { u: combined(joinedVectors(basis.lefts), u, s.length), s, v: combined(rights, v, s.length) };
      }
      nextLook = basis.columns * GROWTH;
    }
    basis.add(basis.next(room));
  }
}

/**
 * Triplets by randomised subspace iteration (Halko et al. 2011, algorithm 4.4), as PyTorch's `svd_lowrank` has it: no
 * more random vectors than triplets.
 */
export function randomisedTriplets(
  products: Products,
  count: number,
  iterations: number,
  random: CounterRng,
): Triplets {
  const basisFor = (block: Vectors): Vectors => orthonormal([], block, random);
  let basis = basisFor(products.times(normalVectors(products.columns, count, random)));
  for (let iteration = 0; iteration < iterations; iteration++) {
    const right = basisFor(products.transposedTimes(basis));
    basis = basisFor(products.times(right));
  }
  const image = products.transposedTimes(basis);
  const matrix = new Matrix(Array.from({ length: count }, (_, index) => vectorAt(image, index)));
  const { u, s, v } = decompose(matrix);
  const weights = Array.from({ length: count }, (_, row) =>
    Array.from({ length: u.count }, (_, column) => vectorAt(u, column)[row] as number),
  );
  return { u: combined(basis, weights, u.count), s, v };
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
