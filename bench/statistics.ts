export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}

/** "1.234 s" or "45.6 ms". */
export function seconds(value: number): string {
  return value < 1 ? `${(1000 * value).toFixed(1)} ms` : `${value.toFixed(3)} s`;
}

/** Two digits behind the point and a times sign; "-" for what was not measured. */
export function times(value: number | undefined): string {
  return value === undefined ? "-" : `${value.toFixed(2)}x`;
}

/** "5.1 %" of a share. */
export function percent(share: number | undefined): string {
  return share === undefined ? "-" : `${(100 * share).toFixed(1)} %`;
}
