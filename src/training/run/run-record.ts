import { platform } from "#platform";
import type { CallbackState } from "../checkpoints/state.js";
import type { UpdateResult } from "./update-result.js";

/** What a run adds up between logs, and where its time goes. */
export class RunRecord {
  /** The last update of this process; undefined before the first. */
  last: UpdateResult | undefined;
  private lossSinceLog = 0;
  private totalLoss = 0;
  private lastLoggedStep = 0;
  private readonly started = platform.now();
  private updates = 0;
  private rows = 0;
  private engineMs = 0;
  private updateMs = 0;

  /**
   * Adds an update.
   * @param ms all of its time, waiting for data and compiling included
   */
  add(update: UpdateResult, ms: number): void {
    this.last = update;
    this.lossSinceLog += update.loss;
    this.updates++;
    this.rows += update.rows;
    this.engineMs += update.engineMs;
    this.updateMs += ms - update.compileMs;
  }

  /** Whether there are updates that no log covers. */
  isLogDue(globalStep: number): boolean {
    return globalStep > this.lastLoggedStep;
  }

  /** The mean loss since the last call. */
  takeMeanLoss(globalStep: number): number {
    const mean = this.lossSinceLog / (globalStep - this.lastLoggedStep);
    this.totalLoss += this.lossSinceLog;
    this.lossSinceLog = 0;
    this.lastLoggedStep = globalStep;
    return mean;
  }

  /** The mean loss of all updates of the run, those before it was resumed included. */
  meanLoss(globalStep: number): number {
    return (this.totalLoss + this.lossSinceLog) / Math.max(globalStep, 1);
  }

  /**
   * The figures at the end, of this process's part of the run. Seconds; `train_outside_engine_percent` is the share of
   * the updates' time that is not ONNX Runtime's: JavaScript, copies, data, optimiser.
   */
  summary(globalStep: number): Record<string, number> {
    const seconds = (platform.now() - this.started) / 1000;
    const memory = platform.memoryUsage();
    return {
      train_runtime: seconds,
      train_samples_per_second: this.rows / seconds,
      train_steps_per_second: this.updates / seconds,
      train_loss: this.meanLoss(globalStep),
      ...(this.updateMs > 0 && {
        train_engine_seconds: this.engineMs / 1000,
        train_outside_engine_percent: 100 * Math.max(0, 1 - this.engineMs / this.updateMs),
      }),
      ...(memory && { peak_memory_bytes: memory.peakRss }),
    };
  }

  /** What a checkpoint keeps, so that the log of a resumed run is that of an uninterrupted one. */
  state(): CallbackState {
    const { lossSinceLog, totalLoss, lastLoggedStep } = this;
    return {
      args: {},
      attributes: { loss_since_log: lossSinceLog, total_loss: totalLoss, last_logged_step: lastLoggedStep },
    };
  }

  restore(state: CallbackState | undefined, globalStep: number): void {
    this.lossSinceLog = Number(state?.attributes.loss_since_log ?? 0);
    this.totalLoss = Number(state?.attributes.total_loss ?? 0);
    this.lastLoggedStep = Number(state?.attributes.last_logged_step ?? globalStep);
  }
}
