import { platform } from "#platform";
import type { QuantizeProgress } from "../../runtime/index.js";
import type { Progress } from "./types.js";

/** How many of the last steps the rate is averaged over. */
const WINDOW = 20;

/** Measures the pace of a loop. Times between `begin` and `end` count, what lies between two steps does not. */
export class ProgressMeter {
  private readonly recent: { readonly seconds: number; readonly samples: number }[] = [];
  private started = 0;
  private done: number;

  constructor(
    private readonly phase: Progress["phase"],
    private readonly total: number | null,
    alreadyDone = 0,
  ) {
    this.done = alreadyDone;
  }

  begin(): void {
    this.started = platform.now();
  }

  /** Marks the end of a step of so many rows and tells where the loop stands. */
  end(samples: number, details: Pick<Progress, "epoch"> & Partial<Progress>): Progress {
    this.recent.push({ seconds: (platform.now() - this.started) / 1000, samples });
    if (this.recent.length > WINDOW) this.recent.shift();
    this.done++;
    const seconds = this.recent.reduce((sum, step) => sum + step.seconds, 0);
    const rows = this.recent.reduce((sum, step) => sum + step.samples, 0);
    const secondsPerStep = seconds / this.recent.length;
    return {
      loss: null,
      learningRate: null,
      gradNorm: null,
      ...details,
      phase: this.phase,
      done: this.done,
      total: this.total,
      secondsPerStep,
      samplesPerSecond: seconds > 0 ? rows / seconds : null,
      secondsLeft: this.total === null ? null : secondsPerStep * Math.max(0, this.total - this.done),
      memoryBytes: platform.memoryUsage()?.rss ?? null,
    };
  }
}

/** The engine's word about int8 weights as a progress of the run. */
export function quantizeProgress({ done, total, seconds }: QuantizeProgress, epoch: number): Progress {
  const secondsPerStep = seconds / done;
  return {
    phase: "quantize",
    done,
    total,
    epoch,
    loss: null,
    learningRate: null,
    gradNorm: null,
    secondsPerStep,
    samplesPerSecond: null,
    secondsLeft: secondsPerStep * (total - done),
    memoryBytes: platform.memoryUsage()?.rss ?? null,
  };
}
