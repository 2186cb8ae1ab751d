import { platform } from "#platform";
import { GraftError, messageOf } from "../../errors.js";
import type { LogEntry } from "../checkpoints/state.js";
import type { CallbackEvent, Progress, TrainerCallback } from "./types.js";

/** Kinds of lines in events.jsonl. */
export type EventKind = "trainBegin" | "quantize" | "log" | "evaluate" | "save" | "trainEnd" | "error";

/** Takes away the beginning of a line that a crash left at the end: every line is whole. */
async function dropTornLine(path: string): Promise<void> {
  if (!(await platform.exists(path))) return;
  const bytes = await platform.readFile(path);
  const whole = bytes.lastIndexOf(0x0a) + 1;
  if (whole < bytes.length) await platform.writeFileAtomic(path, bytes.subarray(0, whole));
}

/**
 * Appends a JSON line to `<outputDir>/events.jsonl` for each event of a run: {"event", "time", "step", "epoch", ...}.
 * `time` is ISO 8601. Each run begins with trainBegin and ends with trainEnd or error ({"code", "message", "hint"}); a
 * later run in the folder, resumed (its trainBegin has a step above 0) or not, goes on in the same file. Evaluations
 * without training are not logged.
 */
export class EventLogCallback implements TrainerCallback {
  private hasBegun = false;

  async onTrainBegin(event: CallbackEvent): Promise<void> {
    await platform.makeDirectory(event.args.outputDir);
    await dropTornLine(this.pathOf(event));
    this.hasBegun = true;
    const { args, state } = event;
    await this.append("trainBegin", event, { maxSteps: state.maxSteps, numTrainEpochs: state.numTrainEpochs, args });
  }

  /** Int8 weights that took a while to make. */
  async onProgress(event: CallbackEvent & { readonly progress: Progress }): Promise<void> {
    const { phase, done, total, secondsPerStep } = event.progress;
    if (phase !== "quantize" || done !== total) return;
    await this.append("quantize", event, { matrices: total, seconds: done * (secondsPerStep ?? 0) });
  }

  /** Training losses; what evaluations and the end log has lines of its own. */
  async onLog(event: CallbackEvent & { readonly logs: LogEntry }): Promise<void> {
    if (event.logs.loss !== undefined) await this.append("log", event, event.logs);
  }

  async onEvaluate(event: CallbackEvent & { readonly metrics: LogEntry }): Promise<void> {
    if (this.hasBegun) await this.append("evaluate", event, event.metrics);
  }

  onSave(event: CallbackEvent & { readonly checkpoint: string }): Promise<void> {
    return this.append("save", event, { checkpoint: event.checkpoint });
  }

  onTrainEnd(event: CallbackEvent & { readonly metrics: LogEntry }): Promise<void> {
    return this.append("trainEnd", event, event.metrics);
  }

  onTrainError(event: CallbackEvent & { readonly error: unknown }): Promise<void> {
    const { error } = event;
    const isKnown = error instanceof GraftError;
    const report = { code: isKnown ? error.code : "unexpected", message: messageOf(error) };
    return this.append("error", event, { ...report, hint: isKnown ? error.hint : null });
  }

  private pathOf({ args }: CallbackEvent): string {
    return platform.join(args.outputDir, "events.jsonl");
  }

  private async append(kind: EventKind, event: CallbackEvent, content: object): Promise<void> {
    const { state } = event;
    const time = new Date().toISOString();
    const line = JSON.stringify({ event: kind, time, step: state.globalStep, epoch: state.epoch, ...content });
    await platform.appendFile(this.pathOf(event), `${line}\n`);
  }
}
