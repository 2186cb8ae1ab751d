import { GraftError } from "../errors.js";
import { CounterRng } from "../random.js";
import type { ImageSource } from "./images/raw-image.js";

/**
 * One row of a text task. `label` is a class id, a value in regression, or a list: a number from 0 to 1 for each class, or
 * several values; left out for prediction.
 */
export interface TextExample {
  readonly text: string;
  readonly textPair?: string;
  readonly label?: number | readonly number[];
}

/** A sentence whose words are labelled. `labels` are class ids, one for each word; left out for prediction. */
export interface TokenExample {
  readonly words: readonly string[];
  readonly labels?: readonly number[];
}

/** One picture; `label` is as that of a text task, and left out for prediction. */
export interface ImageExample {
  readonly image: ImageSource;
  readonly label?: number | readonly number[];
}

/** What decides random steps for a row: they are keyed by (seed, epoch, row), so a run can be resumed. */
export interface ExampleContext {
  readonly seed: number;
  readonly epoch: number;
}

/** Rows by number. */
export interface Dataset<Row> {
  /** Number of rows. */
  readonly length: number;
  /** Length of each row (tokens), where it is known without making the row: what grouping by length sorts by. */
  readonly lengths?: ArrayLike<number>;
  /** Makes row `index`, 0 <= index < length. */
  get(index: number, context: ExampleContext): Row | Promise<Row>;
}

/** Rows in memory, or anything that can be iterated, as a list. @throws GraftError `empty-dataset` for no rows. */
export async function collectRows<Row>(rows: Iterable<Row> | AsyncIterable<Row>, name = "the data"): Promise<Row[]> {
  const out: Row[] = [];
  for await (const row of rows) out.push(row);
  return requireRows(out, name);
}

/** @throws GraftError `empty-dataset` when there are no rows. */
export function requireRows<Row>(rows: Row[], name: string): Row[] {
  if (rows.length === 0) {
    throw new GraftError(
      "empty-dataset",
      `${name} has no rows`,
      "Check the path, the split and the row range; a training, evaluation or prediction run needs at least one row.",
    );
  }
  return rows;
}

/** A list as a dataset; `make` turns a row into what the collator takes each time the row is asked for. */
export function datasetOf<Row>(rows: readonly Row[]): Dataset<Row>;
export function datasetOf<Row, Out>(
  rows: readonly Row[],
  make: (row: Row, index: number, context: ExampleContext) => Out | Promise<Out>,
): Dataset<Out>;
export function datasetOf(
  rows: readonly unknown[],
  make: (row: unknown, index: number, context: ExampleContext) => unknown = (row) => row,
): Dataset<unknown> {
  return { length: rows.length, get: (index, context) => make(rows[index], index, context) };
}

/** Rows `start` (inclusive) to `end` (exclusive), counted from 0. */
export interface RowRange {
  readonly start?: number;
  readonly end?: number;
}

/** The rows of a range. @throws GraftError `empty-dataset` when none are left. */
export function selectRows<Row>(rows: readonly Row[], { start = 0, end }: RowRange, name = "the row range"): Row[] {
  return requireRows(rows.slice(start, end), name);
}

/**
 * Splits rows at random, reproducibly. The order inside each part is random, too.
 *
 * @param testSize share (0 < testSize < 1, rounded up) or number of rows of the test part.
 * @throws GraftError `invalid-argument` unless both parts get at least one row.
 */
export function splitDataset<Row>(
  rows: readonly Row[],
  { testSize, seed }: { testSize: number; seed: number },
): { train: Row[]; test: Row[] } {
  const count = testSize < 1 ? Math.ceil(rows.length * testSize) : testSize;
  if (!Number.isInteger(count) || count < 1 || count >= rows.length) {
    throw new GraftError(
      "invalid-argument",
      `testSize ${testSize} of ${rows.length} rows leaves one part empty`,
      "Give a share between 0 and 1, or a number of rows smaller than the data.",
    );
  }
  const order = Array.from(new CounterRng([seed, SPLIT_STREAM]).permutation(rows.length), (index) => rows[index]!);
  return { train: order.slice(count), test: order.slice(0, count) };
}

/** Keeps the draws of a split apart from those of shuffling with the same seed. */
const SPLIT_STREAM = 0x5711;
