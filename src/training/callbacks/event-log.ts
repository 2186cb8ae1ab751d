import { platform } from "#platform";
import type { LogEntry } from "../state.js";
import type { CallbackEvent, TrainerCallback } from "./types.js";

/** Kinds of lines in events.jsonl. */
export type EventKind = "trainBegin" | "log" | "evaluate" | "save" | "trainEnd";

/**
 * Appends a JSON line to `<outputDir>/events.jsonl` for each event of a run: {"event", "time", "step", "epoch", ...}.
 * `time` is ISO 8601. A resumed run goes on in the same file. Evaluations without training are not logged.
 */
export class EventLogCallback implements TrainerCallback {
  private hasBegun = false;

  async onTrainBegin(event: CallbackEvent): Promise<void> {
    await platform.makeDirectory(event.args.outputDir);
    this.hasBegun = true;
    const { args, state } = event;
    await this.append("trainBegin", event, { maxSteps: state.maxSteps, numTrainEpochs: state.numTrainEpochs, args });
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

  private async append(kind: EventKind, { args, state }: CallbackEvent, content: object): Promise<void> {
    const time = new Date().toISOString();
    const line = JSON.stringify({ event: kind, time, step: state.globalStep, epoch: state.epoch, ...content });
    await platform.appendFile(platform.join(args.outputDir, "events.jsonl"), `${line}\n`);
  }
}
