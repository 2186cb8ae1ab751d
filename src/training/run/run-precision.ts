import {
  type FrozenPrecision,
  frozenPrecisions,
  readPrecisionReport,
  writePrecisionReport,
} from "../../precision/index.js";
import type { QuantizeProgress } from "../../runtime/index.js";
import type { TrainingArguments } from "../arguments/index.js";

/** How a run has frozen weights multiplied: what is decided is told, and written into the run's folder. */
export function runPrecision(
  { frozenPrecision, outputDir }: TrainingArguments,
  told: Readonly<Record<"warn" | "inform", (message: string) => void>>,
  onQuantize: (progress: QuantizeProgress) => void,
): FrozenPrecision {
  return frozenPrecisions[frozenPrecision]({
    onReport: async (report) => {
      if (report.used === "int8" || frozenPrecision === "auto") told.inform(report.reason);
      else told.warn(report.reason);
      await writePrecisionReport(outputDir, report);
    },
    onQuantize,
  });
}

/** Takes the decision that a checkpoint holds. */
export async function takeUpPrecision(
  precision: FrozenPrecision,
  { frozenPrecision, outputDir }: TrainingArguments,
  checkpoint: string,
): Promise<void> {
  if (frozenPrecision === "f32") return;
  const report = await readPrecisionReport(checkpoint);
  precision.report = report;
  if (report) await writePrecisionReport(outputDir, report);
}
