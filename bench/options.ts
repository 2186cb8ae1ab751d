import type { BackendName } from "#graft/runtime/index";

/** The flags of `npm run bench`. */
export interface BenchOptions {
  /** curve, gradient-error: what reference/train_curve.py --export wrote; methods: where runs are kept; "" elsewhere. */
  readonly folder: string;
  /** curve: files with the losses of other runs. */
  readonly peers: readonly string[];
  readonly json?: string;
  readonly cache?: string;
  readonly threads: number;
  /** Measured steps of a process. */
  readonly steps: number;
  /** How often each side runs, in turn with the others. */
  readonly rounds: number;
  /** Step benchmarks: what computes on Graft's sides. PyTorch's compute on the CPU. */
  readonly backend: BackendName;
  /** Step benchmarks: rows that Graft runs at once. */
  readonly microBatch?: number | "auto";
  /** Step benchmarks: where the time of Graft's steps goes, instead of the sides' timings. */
  readonly profile?: boolean;
  readonly seeds: readonly number[];
  /** The sides that run; all of the benchmark's where left out. */
  readonly sides?: readonly string[];
  readonly rows: number | "all";
  readonly randomBatches?: boolean;
  readonly decodeOnce?: boolean;
  readonly maxSteps?: number;
  /** methods: names of the methods that run; all where left out. */
  readonly only?: readonly string[];
}
