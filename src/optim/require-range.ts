import { GraftError } from "../errors.js";

/** @throws GraftError `invalid-argument` unless `condition` holds. */
export function requireRange(condition: boolean, setting: string, value: unknown, range: string): void {
  if (condition) return;
  throw new GraftError("invalid-argument", `${setting} is ${String(value)}`, `${setting} must be ${range}.`);
}
