/**
 * The inverse of a symmetric positive definite matrix, by elimination; small matrices only.
 * @param matrix [size, size], row-major
 */
export function inverseOfSymmetric(matrix: Float64Array, size: number): Float64Array {
  const left = Float64Array.from(matrix);
  const right = new Float64Array(size * size);
  for (let i = 0; i < size; i++) right[i * size + i] = 1;
  for (let pivot = 0; pivot < size; pivot++) {
    const inverse = 1 / left[pivot * size + pivot]!;
    for (let j = 0; j < size; j++) {
      left[pivot * size + j]! *= inverse;
      right[pivot * size + j]! *= inverse;
    }
    for (let row = 0; row < size; row++) {
      const factor = left[row * size + pivot]!;
      if (row === pivot || factor === 0) continue;
      for (let j = 0; j < size; j++) {
        left[row * size + j]! -= factor * left[pivot * size + j]!;
        right[row * size + j]! -= factor * right[pivot * size + j]!;
      }
    }
  }
  return right;
}
