/** A row-major [rows, columns] matrix as [columns, rows]. */
export function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = matrix[row * columns + column] as number;
  }
  return out;
}

/**
 * scaling * B A in steps rounded to float32, as PyTorch takes them.
 * @param b [rows, inner]
 * @param a [inner, columns]
 * @returns [rows, columns]
 */
export function scaledProduct(b: Float32Array, a: Float32Array, inner: number, scaling: number): Float32Array {
  const columns = a.length / inner;
  const rows = b.length / inner;
  const product = new Float32Array(rows * columns);
  const sums = new Float64Array(columns);
  const factor = Math.fround(scaling);
  for (let row = 0; row < rows; row++) {
    sums.fill(0);
    for (let k = 0; k < inner; k++) {
      const left = b[row * inner + k] as number;
      const offset = k * columns;
      for (let i = 0; i < columns; i++) sums[i] = (sums[i] as number) + left * (a[offset + i] as number);
    }
    for (let i = 0; i < columns; i++) product[row * columns + i] = Math.fround(sums[i] as number) * factor;
  }
  return product;
}
