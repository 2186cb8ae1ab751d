import * as z from "zod";
import { platform } from "#platform";
import { checked } from "../../checked.js";
import { readJsonObject, writeJson } from "../../hub/index.js";

/** What a cut was chosen for, and what was measured. */
export interface MicroBatchReport {
  /** Rows of a piece whose texts have `sequence` tokens. Batches of longer texts are cut into pieces of as many tokens. */
  readonly rows: number;
  /** Tokens of a row when it was chosen; 1 where rows have no length of their own. */
  readonly sequence: number;
  /** One sentence for people. */
  readonly reason: string;
  readonly measured: readonly PieceMeasurement[];
}

export interface PieceMeasurement {
  readonly rows: number;
  readonly secondsPerRow: number;
  /** Peak of the process's memory up to then; undefined where the world does not tell. */
  readonly peakBytes?: number;
}

/** A run's report, beside its checkpoints: a resumed run cuts its batches alike. */
export const microBatchFile = "micro_batch.json";

const schema = z.object({
  rows: z.int().positive(),
  sequence: z.int().positive(),
  reason: z.string(),
  measured: z.array(
    z.object({ rows: z.int().positive(), secondsPerRow: z.number(), peakBytes: z.number().exactOptional() }),
  ),
});

/**
 * The report that a run left in its folder; undefined where there is none.
 * @throws GraftError `invalid-json`, `invalid-config`
 */
export async function readMicroBatchReport(folder: string): Promise<MicroBatchReport | undefined> {
  const path = platform.join(folder, microBatchFile);
  if (!(await platform.exists(path))) return undefined;
  const hint = "Restore the file that the run wrote, or remove it: the cut is then measured anew.";
  return checked(schema, await readJsonObject(path, "the report on micro-batches"), `${path} is no such report`, hint);
}

export async function writeMicroBatchReport(folder: string, report: MicroBatchReport): Promise<void> {
  await platform.makeDirectory(folder);
  await writeJson(platform.join(folder, microBatchFile), report as unknown as Record<string, unknown>);
}
