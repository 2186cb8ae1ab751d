import type { TrainingArguments } from "../arguments/index.js";
import { type BatchCut, fixedCut, MeasuredCut } from "../micro-batches/index.js";
import { readMicroBatchReport, writeMicroBatchReport } from "../micro-batches/report.js";

const isMeasured = ({ autoMicroBatch, maxMemory }: TrainingArguments): boolean => autoMicroBatch || maxMemory !== null;

const units: Readonly<Record<string, number>> = { B: 1, kB: 1e3, KB: 1e3, MB: 1e6, GB: 1e9 };

/** "2GB" in bytes. */
function bytesOf(size: string): number {
  const [, number = "", unit = ""] = /^([\d.]+)\s*(\w+)$/.exec(size) ?? [];
  return Number(number) * (units[unit] ?? 1);
}

/** How a run cuts its batches: what is found out is told, and written into the run's folder. */
export function runCut(args: TrainingArguments, { inform }: { readonly inform: (message: string) => void }): BatchCut {
  const { microBatchSize, maxMemory, outputDir } = args;
  if (!isMeasured(args)) return fixedCut(microBatchSize ?? Number.POSITIVE_INFINITY);
  return new MeasuredCut({
    ...(maxMemory !== null && { maxBytes: bytesOf(maxMemory) }),
    onReport: async (report) => {
      inform(report.reason);
      await writeMicroBatchReport(outputDir, report);
    },
  });
}

/** Takes the cut that a checkpoint holds. */
export async function takeUpCut(cut: BatchCut, args: TrainingArguments, checkpoint: string): Promise<void> {
  if (!isMeasured(args)) return;
  const report = await readMicroBatchReport(checkpoint);
  cut.report = report;
  if (report) await writeMicroBatchReport(args.outputDir, report);
}
