import type { CallbackEvent, LogEntry, Progress, TrainerCallback } from "graft-peft";

/** One line for each epoch, as transformers shows them in notebooks; where the run stands meanwhile, on a terminal. */
export class EpochTable implements TrainerCallback {
  private loss = "no log";
  private isTraining = false;

  constructor(private readonly log: (line: string) => void) {}

  onTrainBegin(): void {
    this.isTraining = true;
    this.log("epoch  training loss  validation loss  accuracy");
  }

  onProgress({ progress: { phase, done, total, secondsLeft } }: { readonly progress: Progress }): void {
    if (phase !== "train" || !process.stderr.isTTY) return;
    const left = secondsLeft === null ? "" : `, ${Math.ceil(secondsLeft)} s left`;
    process.stderr.write(done === total ? "\r\u001b[K" : `\rupdate ${done} of ${total}${left}\u001b[K\r`);
  }

  onLog({ logs }: { readonly logs: LogEntry }): void {
    if (logs.loss !== undefined) this.loss = logs.loss.toFixed(4);
  }

  onEvaluate({ state, metrics }: CallbackEvent & { readonly metrics: LogEntry }): void {
    if (!this.isTraining) return;
    const { eval_loss = Number.NaN, eval_accuracy = Number.NaN } = metrics;
    const cells = [
      String(Number(state.epoch.toFixed(2))).padStart(5),
      this.loss.padStart(13),
      eval_loss.toFixed(4).padStart(15),
      `${(100 * eval_accuracy).toFixed(1)} %`.padStart(8),
    ];
    this.log(cells.join("  "));
  }

  onTrainEnd(): void {
    this.isTraining = false;
  }
}
