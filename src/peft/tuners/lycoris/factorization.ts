/**
 * Cuts a dimension into two factors, PEFT's way: the one that is asked for where it divides, else the pair of the least
 * sum among those whose smaller factor is no larger than what is asked for.
 * @param factor -1: the pair of the least sum
 * @returns the smaller factor first, but for a factor that is asked for and divides
 */
export function factorization(dimension: number, factor: number): [number, number] {
  if (factor > 0 && dimension % factor === 0) return [factor, dimension / factor];
  const most = factor === -1 ? dimension : factor;
  let smaller = 1;
  for (let next = 2; next <= most && next * next <= dimension; next++) {
    if (dimension % next === 0) smaller = next;
  }
  return [smaller, dimension / smaller];
}
