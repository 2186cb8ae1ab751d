import { GraftError } from "../errors.js";

/** @throws GraftError `invalid-argument` unless the option is a whole number from `least` (1 by default); undefined passes. */
export function requireCount(option: string, value: number | undefined, least = 1): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  throw new GraftError("invalid-argument", `${option} is ${value}`, `${option} must be a whole number from ${least}.`);
}
