import { snakeCase } from "../../case.js";
import { GraftError } from "../../errors.js";
import type { PreparedInputs } from "../../models/index.js";
import type { MicroBatchReport } from "./report.js";

/** How batches are cut into pieces that are run one after the other. */
export interface BatchCut {
  /** What was decided, where something had to be. Set before the first batch (a resumed run's), it is followed. */
  report: MicroBatchReport | undefined;
  /** Rows of the next piece, from 1 to `left`. */
  next(left: number, batch: BatchSize): number;
  /** Called after each piece with the time it took. */
  done(rows: number, batch: BatchSize, seconds: number): void | Promise<void>;
}

export interface BatchSize {
  readonly rows: number;
  /** Tokens of a row; 1 for pictures. */
  readonly sequence: number;
}

/** What the engine is told of a batch's size. */
export function sizeOf({ feeds, rules }: PreparedInputs): BatchSize {
  let rows = 1;
  let sequence = 1;
  for (const [name, { shape }] of rules) {
    const sizes = feeds[snakeCase(name)]?.shape ?? [];
    shape.forEach((dim, axis) => {
      if (dim === "batch") rows = sizes[axis] ?? rows;
      if (dim === "sequence") sequence = sizes[axis] ?? sequence;
    });
  }
  return { rows, sequence };
}

/** The rows from `first` on, as views; what has no rows is the same in all pieces. */
export function pieceOf({ feeds, rules }: PreparedInputs, first: number, rows: number): PreparedInputs {
  const pieces = rules.map(([given, { shape }]) => {
    const name = snakeCase(given);
    const tensor = feeds[name]!;
    if (shape[0] !== "batch") return [name, tensor] as const;
    const perRow = tensor.data.length / tensor.shape[0]!;
    const data = tensor.data.subarray(first * perRow, (first + rows) * perRow);
    return [name, { ...tensor, shape: [rows, ...tensor.shape.slice(1)], data }] as const;
  });
  return { feeds: Object.fromEntries(pieces), rules };
}

/** Pieces of so many rows; Infinity leaves batches whole. */
export function fixedCut(rows: number): BatchCut {
  return { report: undefined, next: (left) => Math.min(rows, left), done: () => {} };
}

/** @throws GraftError `invalid-argument` for a size that is no whole number above 0 */
export function requireRows(rows: number): number {
  if (Number.isInteger(rows) && rows > 0) return rows;
  throw new GraftError(
    "invalid-argument",
    `microBatchSize is ${rows}`,
    "Give the rows of a piece, a whole number above 0, or leave it out: batches then stay whole.",
  );
}
