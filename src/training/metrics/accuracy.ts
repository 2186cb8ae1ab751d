import { type MetricInput, requirePairs } from "./types.js";

/** Share of rows whose class was predicted. */
export function accuracy(input: MetricInput): { accuracy: number } {
  requirePairs(input);
  let right = 0;
  for (let row = 0; row < input.references.length; row++) {
    if (input.predictions[row] === input.references[row]) right++;
  }
  return { accuracy: right / input.references.length };
}
