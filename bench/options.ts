/** The flags of `npm run bench`. */
export interface BenchOptions {
  readonly json?: string;
  readonly cache?: string;
  readonly threads: number;
  /** Measured steps of a process. */
  readonly steps: number;
  /** How often each side runs, in turn with the others. */
  readonly rounds: number;
  readonly seeds: readonly number[];
  readonly sides: readonly string[];
  readonly rows: number | "all";
  readonly randomBatches?: boolean;
  readonly decodeOnce?: boolean;
  readonly maxSteps?: number;
}
