import { MultiBar, type SingleBar } from "cli-progress";
import type { CallbackEvent, LogEntry, Progress, TrainerCallback } from "../../training/index.js";
import { formatBytes, formatDuration, formatNumber } from "./format.js";
import { note } from "./print.js";

/** Least time between two plain lines that no log asks for. */
const PLAIN_INTERVAL_MS = 30_000;

function rateOf({ phase, secondsPerStep, samplesPerSecond }: Progress): string {
  if (secondsPerStep === null || phase === "quantize") return "";
  const pace =
    secondsPerStep >= 1 ? `${secondsPerStep.toFixed(2)} s/step` : `${(1 / secondsPerStep).toFixed(1)} steps/s`;
  return samplesPerSecond === null ? pace : `${pace} (${formatNumber(Number(samplesPerSecond.toPrecision(3)))} rows/s)`;
}

/** Everything about a step, as the pieces of one line: loss, learning rate, rate, time left, memory. */
export function progressParts(progress: Progress, loss: number | null = progress.loss): string[] {
  const { learningRate, secondsLeft, memoryBytes } = progress;
  return [
    loss === null ? "" : `loss ${formatNumber(loss)}`,
    learningRate === null ? "" : `lr ${formatNumber(learningRate)}`,
    rateOf(progress),
    secondsLeft === null ? "" : `ETA ${formatDuration(secondsLeft)}`,
    memoryBytes === null ? "" : formatBytes(memoryBytes),
  ].filter((part) => part !== "");
}

/** The metrics of a log entry, for people: "loss 0.51, accuracy 0.78". */
function metricsLine(metrics: LogEntry): string {
  const hidden = /_(runtime|per_second)$|^(epoch|step)$/;
  return Object.entries(metrics)
    .filter(([name]) => !hidden.test(name))
    .map(([name, value]) => `${name.replace(/^(eval|test)_/, "")} ${formatNumber(value)}`)
    .join(", ");
}

const evaluationLine = (step: number, metrics: LogEntry): string =>
  `evaluation after step ${step}: ${metricsLine(metrics)}`;

/** Shows a run as plain lines, for log files and pipes. */
export class PlainProgress implements TrainerCallback {
  private last: Progress | undefined;
  private written = Date.now();

  onProgress({ progress }: { readonly progress: Progress }): void {
    if (progress.phase === "train") this.last = progress;
    if (Date.now() - this.written >= PLAIN_INTERVAL_MS) this.line(progress);
  }

  onLog({ logs }: CallbackEvent & { readonly logs: LogEntry }): void {
    if (logs.loss !== undefined && this.last) this.line(this.last, logs.loss);
  }

  onEvaluate({ state, metrics }: CallbackEvent & { readonly metrics: LogEntry }): void {
    note(evaluationLine(state.globalStep, metrics));
  }

  onSave({ checkpoint }: { readonly checkpoint: string }): void {
    note(`checkpoint ${checkpoint}`);
  }

  stop(): void {}

  private line(progress: Progress, loss?: number): void {
    this.written = Date.now();
    const { phase, done, total, epoch } = progress;
    const where =
      phase === "train"
        ? `step ${done}/${total ?? "?"}  epoch ${epoch.toFixed(2)}`
        : `${phase} ${done}/${total ?? "?"}`;
    note([where, ...progressParts(progress, loss)].join("  "));
  }
}

/** Shows a run as a progress bar; evaluations and checkpoints leave a line above it. */
export class BarProgress implements TrainerCallback {
  private readonly bars = new MultiBar({
    format: "{title} [{bar}] {value}/{total}  {details}",
    barCompleteChar: "=",
    barIncompleteChar: " ",
    hideCursor: true,
    stopOnComplete: false,
    gracefulExit: false,
    stream: process.stderr,
  });
  private readonly open: { [P in Progress["phase"]]?: SingleBar } = {};

  onProgress({ progress }: { readonly progress: Progress }): void {
    const { phase, done, total, epoch } = progress;
    const title = phase === "train" ? `epoch ${epoch.toFixed(2)}`.padEnd(11) : phase.padEnd(11);
    const bar = this.open[phase] ?? this.bars.create(total ?? 0, 0, { title, details: "" });
    this.open[phase] = bar;
    bar.setTotal(total ?? done);
    bar.update(done, { title, details: progressParts(progress).join("  ") });
    if (phase !== "train" && done === total) {
      this.bars.remove(bar);
      delete this.open[phase];
    }
  }

  onEvaluate({ state, metrics }: CallbackEvent & { readonly metrics: LogEntry }): void {
    this.bars.log(`${evaluationLine(state.globalStep, metrics)}\n`);
  }

  onSave({ checkpoint }: { readonly checkpoint: string }): void {
    this.bars.log(`checkpoint ${checkpoint}\n`);
  }

  /** Leaves the last state on the screen and the cursor visible. */
  stop(): void {
    this.bars.stop();
  }
}

/** A bar on a terminal, plain lines elsewhere. */
export function runProgress(): BarProgress | PlainProgress {
  return process.stderr.isTTY ? new BarProgress() : new PlainProgress();
}
