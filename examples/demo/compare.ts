/** How far apart two lists of numbers are: the largest difference, and the L2 norm of all relative to that of `a`. */
export function compare(a: Float32Array, b: Float32Array): { largest: number; relative: number } {
  let [largest, difference, norm] = [0, 0, 0];
  for (const [i, value] of a.entries()) {
    largest = Math.max(largest, Math.abs(value - b[i]!));
    difference += (value - b[i]!) ** 2;
    norm += value ** 2;
  }
  return { largest, relative: Math.sqrt(difference / norm) };
}
