import { expect } from "vitest";

/** Between figures of a page and Node's: the largest absolute difference. */
export const TOLERANCE = 1e-4;

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual).toHaveLength(expected.length);
  const differences = Array.from(actual, (value, position) => Math.abs(value - (expected[position] as number)));
  // One that is not finite would pass Math.max unseen by a mere upper bound.
  expect(differences.filter((difference) => !(difference <= TOLERANCE))).toEqual([]);
}
