import * as z from "zod";
import { platform } from "#platform";
import { checked } from "../checked.js";
import { readJsonObject, writeJson } from "../hub/index.js";
import type { ProductDecision } from "./int8/guard.js";

/** What was asked for, what is used, and why. */
export interface FrozenPrecisionReport {
  readonly used: "f32" | "int8";
  /** One sentence for people. */
  readonly reason: string;
  /** Time of one product in float32 divided by its time in int8; undefined where it was not measured. */
  readonly speedup?: number;
  /** What the guard decided of every product. */
  readonly products: readonly ProductDecision[];
}

/** A run's report, beside its checkpoints: a resumed run takes the same decisions. */
export const precisionFile = "frozen_precision.json";

const decision = z.object({
  product: z.string(),
  // JSON has no NaN: an error that is no number is written as null.
  error: z
    .number()
    .nullable()
    .transform((error) => error ?? Number.NaN),
  keptFloat32: z.boolean(),
  place: z.enum(["first layer", "outside the layers"]).exactOptional(),
  outliers: z.array(z.object({ feature: z.int().gte(0), factor: z.number().positive() })).exactOptional(),
});

const schema = z.object({
  used: z.enum(["f32", "int8"]),
  reason: z.string(),
  speedup: z.number().exactOptional(),
  products: z.array(decision),
});

/**
 * The report that a run left in its folder; undefined where there is none.
 * @throws GraftError `invalid-json`, `invalid-config`
 */
export async function readPrecisionReport(folder: string): Promise<FrozenPrecisionReport | undefined> {
  const path = platform.join(folder, precisionFile);
  if (!(await platform.exists(path))) return undefined;
  const hint = "Restore the file that the run wrote, or remove it: int8 is then decided on anew.";
  return checked(schema, await readJsonObject(path, "the precision report"), `${path} is not a precision report`, hint);
}

export async function writePrecisionReport(folder: string, report: FrozenPrecisionReport): Promise<void> {
  await platform.makeDirectory(folder);
  await writeJson(platform.join(folder, precisionFile), report as unknown as Record<string, unknown>);
}
