import { platform } from "#platform";
import type { BatchCut, BatchSize } from "./cut.js";
import type { MicroBatchReport, PieceMeasurement } from "./report.js";

/** A larger piece must be faster by this share, since it takes more memory. */
const LEAST_GAIN = 0.04;
/** The smallest piece that is tried is this share of the first batch. */
const SMALLEST = 16;

export interface MeasuredCutOptions {
  /** Bound of the process's memory. Default: none. */
  readonly maxBytes?: number;
  /** Told once what was decided. */
  readonly onReport?: (report: MicroBatchReport) => void | Promise<void>;
}

/**
 * Finds the cut by doing the first batch in pieces that double in size, which costs no time of its own: any cut gives
 * the same update to rounding. The first piece warms the engine up; of the others the smallest is taken that no larger
 * one beats by 4 %, among those that stay within `maxBytes`.
 */
export class MeasuredCut implements BatchCut {
  report: MicroBatchReport | undefined;
  private readonly measured: PieceMeasurement[] = [];
  private isWarm = false;
  private isFull = false;

  constructor(private readonly options: MeasuredCutOptions = {}) {}

  next(left: number, batch: BatchSize): number {
    if (this.report) return Math.min(left, rowsWithin(this.report, batch));
    const smallest = Math.max(1, Math.ceil(batch.rows / SMALLEST));
    const last = this.measured.at(-1);
    return Math.min(
      left,
      last === undefined ? smallest : this.isFull ? last.rows : Math.min(2 * last.rows, batch.rows),
    );
  }

  async done(rows: number, batch: BatchSize, seconds: number): Promise<void> {
    if (this.report) return;
    if (!this.isWarm) {
      this.isWarm = true;
      return;
    }
    const peakBytes = platform.memoryUsage()?.peakRss;
    if (rows > (this.measured.at(-1)?.rows ?? 0)) {
      this.measured.push({ rows, secondsPerRow: seconds / rows, ...(peakBytes !== undefined && { peakBytes }) });
    }
    this.isFull = this.nextBytes() > this.maxBytes();
    if (this.isFull || rows >= batch.rows || this.stoppedGaining()) await this.decide(batch);
  }

  private maxBytes(): number {
    return this.options.maxBytes ?? Number.POSITIVE_INFINITY;
  }

  /** What a piece of twice the last one's rows would take: the growth from the one before, twice. */
  private nextBytes(): number {
    const [before, last] = this.measured.slice(-2);
    if (last?.peakBytes === undefined || before?.peakBytes === undefined) return before?.peakBytes ?? 0;
    return last.peakBytes + 2 * (last.peakBytes - before.peakBytes);
  }

  /** The last two doublings brought nothing. */
  private stoppedGaining(): boolean {
    const [a, b, c] = this.measured.slice(-3).map(({ secondsPerRow }) => secondsPerRow);
    return a !== undefined && b !== undefined && c !== undefined && Math.min(b, c) > a * (1 - LEAST_GAIN);
  }

  private async decide({ sequence }: BatchSize): Promise<void> {
    const fastest = Math.min(...this.measured.map(({ secondsPerRow }) => secondsPerRow));
    const within = this.measured.filter(({ peakBytes }, index) => index === 0 || (peakBytes ?? 0) <= this.maxBytes());
    const chosen = within.find(({ secondsPerRow }) => secondsPerRow <= fastest / (1 - LEAST_GAIN)) ?? within.at(-1)!;
    const tried = this.measured.map(({ rows }) => rows).join(", ");
    const limit = this.isFull ? ", more would pass the memory limit" : "";
    this.report = {
      rows: chosen.rows,
      sequence,
      reason: `micro-batches of ${chosen.rows} ${chosen.rows === 1 ? "row" : "rows"}: the fewest within ${LEAST_GAIN * 100} % of the fastest of ${tried}${limit}`,
      measured: this.measured,
    };
    await this.options.onReport?.(this.report);
  }
}

function rowsWithin({ rows, sequence }: MicroBatchReport, batch: BatchSize): number {
  return Math.max(1, Math.floor((rows * sequence) / batch.sequence));
}
