import type { TrainingArguments } from "../arguments/index.js";
import {
  type FrozenPrecisionReport,
  readPrecisionReport,
  writePrecisionReport,
} from "../precision/precision-report.js";

/** What was decided about int8: by the run that this one goes on from, or by this one. */
export class RunPrecision {
  report: FrozenPrecisionReport | undefined;

  constructor(
    private readonly args: TrainingArguments,
    private readonly told: Readonly<Record<"warn" | "inform", (message: string) => void>>,
  ) {}

  /** Takes a decision that was just made. */
  async decide(report: FrozenPrecisionReport): Promise<void> {
    this.report = report;
    if (report.used === "int8") this.told.inform(report.reason);
    else this.told.warn(report.reason);
    await writePrecisionReport(this.args.outputDir, report);
  }

  /** Takes the decision that a checkpoint holds. */
  async takeUp(checkpoint: string): Promise<void> {
    const { frozenPrecision, outputDir } = this.args;
    if (frozenPrecision === "f32") return;
    this.report = await readPrecisionReport(checkpoint);
    if (this.report) await writePrecisionReport(outputDir, this.report);
  }
}
