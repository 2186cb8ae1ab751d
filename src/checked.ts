import type * as z from "zod";
import { GraftError } from "./errors.js";

/**
 * A value that a schema takes. The one place where what zod finds becomes an error of Graft's.
 * @param where begins the message, e.g. "x.json is not a trainer state"; every fault follows with its place
 * @param options the option that the value is of, where it is one's
 * @throws GraftError `invalid-config`
 */
export function checked<S extends z.ZodType>(
  schema: S,
  value: unknown,
  where: string,
  hint: string,
  options: { readonly option?: string } = {},
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join(".")}: ${message}`,
  );
  throw new GraftError("invalid-config", `${where}: ${faults.join("; ")}`, hint, options);
}
