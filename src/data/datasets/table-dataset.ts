import { GraftError } from "../../errors.js";
import { isJsonObject } from "../../json.js";
import { nearest } from "../../nearest.js";
import { CounterRng } from "../../random.js";
import type { Dataset, ExampleContext } from "../dataset.js";
import { loadImage } from "../images/load-image.js";
import type { ImageSource, RawImage } from "../images/raw-image.js";
import { type Feature, type Features, featureOfValues } from "./features.js";
import { joinedSource, memorySource, type Row, type RowSource } from "./source.js";

/** Rows as columns: each column's values, one for each row. */
export type RowBatch = Record<string, unknown[]>;

/** Changes rows when they are asked for. Random steps draw from `random`, keyed by (seed, epoch, row). */
export type BatchTransform = (batch: RowBatch, random: CounterRng) => RowBatch | Promise<RowBatch>;

export interface LoadedOptions {
  /** What to do about a row that cannot be read (a picture that cannot be decoded): "error" (default) or "skip" with a remark. */
  readonly onBadRow?: "error" | "skip" | undefined;
  /** Receives remarks. Default console.warn. */
  readonly onWarning?: ((line: string) => void) | undefined;
}

interface State extends LoadedOptions {
  /** Row numbers of the source, in order; undefined: all of them. */
  readonly order?: Uint32Array | undefined;
  readonly features: Features;
  readonly transform?: BatchTransform | undefined;
  /** What `map` added, in order. */
  readonly maps: readonly ((row: Row, index: number) => Row | Promise<Row>)[];
}

const SHUFFLE_STREAM = 0x5afe;
const NO_CONTEXT: ExampleContext = { seed: 0, epoch: 0 };

/** A picture as Parquet files hold it: its bytes, or the path of a file. */
function imageSource(cell: unknown): ImageSource | undefined {
  if (typeof cell === "string" || cell instanceof Uint8Array) return cell;
  if (!isJsonObject(cell)) return undefined;
  if (cell.bytes instanceof Uint8Array) return cell.bytes;
  if (typeof cell.path === "string") return cell.path;
  return "data" in cell ? (cell as unknown as RawImage) : undefined;
}

/**
 * Rows with named columns, as `datasets.Dataset` of Python: read when they are asked for, never changed (methods give new
 * datasets; `setTransform` alone changes the one it is called on). The Trainer takes it as it is.
 */
export class TableDataset implements Dataset<Row>, AsyncIterable<Row> {
  readonly length: number;

  /** @internal Use `loadDataset` or `TableDataset.from`. */
  constructor(
    private readonly source: RowSource,
    private state: State,
  ) {
    this.length = state.order?.length ?? source.length;
  }

  /** Rows in memory. @param features default: what the values show */
  static from(rows: readonly Row[], features?: Features, options: LoadedOptions = {}): TableDataset {
    const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
    const shown = Object.fromEntries(columns.map((name) => [name, featureOfValues(rows.map((row) => row[name]))]));
    const all = { ...shown, ...features };
    return new TableDataset(memorySource("the rows", rows, all), { ...options, features: all, maps: [] });
  }

  /** What the columns hold. */
  get features(): Features {
    return this.state.features;
  }
  get columnNames(): string[] {
    return Object.keys(this.state.features);
  }

  /** A column's feature. @throws GraftError `invalid-argument` with near names */
  feature(column: string): Feature {
    const found = this.state.features[column];
    if (found !== undefined) return found;
    const near = nearest(column, this.columnNames, 5).join(", ");
    throw new GraftError("invalid-argument", `there is no column "${column}"`, `Columns: ${near}.`);
  }

  /** Row `index`; negative ones count from the end. @throws GraftError `invalid-argument`, `invalid-image` naming the row */
  async at(index: number): Promise<Row> {
    const row = index < 0 ? this.length + index : index;
    if (!Number.isInteger(row) || row < 0 || row >= this.length) {
      throw new GraftError("invalid-argument", `there is no row ${index}`, `Rows go from 0 to ${this.length - 1}.`);
    }
    return this.get(row, NO_CONTEXT);
  }

  /** Row `index`, for loaders. With onBadRow "skip" the next row stands in for one that cannot be read. */
  async get(index: number, context: ExampleContext): Promise<Row> {
    for (let tried = 0; tried < this.length; tried++) {
      const found = await this.readable((index + tried) % this.length, context);
      if (found !== undefined) return found;
    }
    throw new GraftError(
      "empty-dataset",
      `no row of ${this.source.name} can be read`,
      "See what was said of its rows.",
    );
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
    for (let index = 0; index < this.length; index++) {
      const row = await this.readable(index, NO_CONTEXT);
      if (row !== undefined) yield row;
    }
  }

  /** Batches of columns; the last one may be smaller. */
  async *batches(size: number): AsyncGenerator<RowBatch> {
    let rows: Row[] = [];
    for await (const row of this) {
      rows.push(row);
      if (rows.length < size) continue;
      yield columnsOf(rows);
      rows = [];
    }
    if (rows.length > 0) yield columnsOf(rows);
  }

  /** These rows, in this order. @throws GraftError `invalid-argument` for numbers that are no rows */
  select(rows: Iterable<number>): TableDataset {
    const order = Array.from(rows, (row) => {
      if (Number.isInteger(row) && row >= 0 && row < this.length) return this.sourceRow(row);
      throw new GraftError("invalid-argument", `there is no row ${row}`, `Rows go from 0 to ${this.length - 1}.`);
    });
    return this.with({ order: Uint32Array.from(order) });
  }

  /** The rows in another order, the same for the same seed. @param seed default 0 */
  shuffle({ seed = 0 }: { readonly seed?: number } = {}): TableDataset {
    return this.select(new CounterRng([seed, SHUFFLE_STREAM]).permutation(this.length));
  }

  /**
   * Two parts at random.
   * @param testSize share (rounded up) or number of the test rows; default 0.25
   * @param shuffle false: the last rows are the test rows
   */
  trainTestSplit({
    testSize = 0.25,
    seed = 0,
    shuffle = true,
  }: {
    readonly testSize?: number;
    readonly seed?: number;
    readonly shuffle?: boolean;
  } = {}): {
    readonly train: TableDataset;
    readonly test: TableDataset;
  } {
    const count = testSize < 1 ? Math.ceil(this.length * testSize) : testSize;
    if (!Number.isInteger(count) || count < 1 || count >= this.length) {
      throw new GraftError(
        "invalid-argument",
        `testSize ${testSize} of ${this.length} rows leaves one part empty`,
        "Give a share between 0 and 1, or a number of rows smaller than the data.",
      );
    }
    const all = shuffle ? this.shuffle({ seed }) : this;
    const rows = Array.from({ length: this.length }, (_, row) => row);
    const cut = shuffle ? count : this.length - count;
    const [first, last] = [rows.slice(0, cut), rows.slice(cut)];
    return { train: all.select(shuffle ? last : first), test: all.select(shuffle ? first : last) };
  }

  /** Rows changed one by one, when they are asked for; what `change` returns is added to the row. */
  map(change: (row: Row, index: number) => Row | Promise<Row>): TableDataset {
    return this.with({ maps: [...this.state.maps, change] });
  }

  /** The rows for which `keep` says so. All rows are read for that. */
  async filter(keep: (row: Row, index: number) => boolean | Promise<boolean>): Promise<TableDataset> {
    const kept: number[] = [];
    for (let index = 0; index < this.length; index++) {
      const row = await this.readable(index, NO_CONTEXT, false);
      if (row !== undefined && (await keep(row, index))) kept.push(index);
    }
    return this.select(kept);
  }

  /** Only these columns. @throws GraftError `invalid-argument` with near names */
  selectColumns(columns: readonly string[]): TableDataset {
    return this.with({ features: Object.fromEntries(columns.map((name) => [name, this.feature(name)])) });
  }

  /** Makes this dataset's rows go through `transform` when they are asked for; undefined takes it off. */
  setTransform(transform: BatchTransform | undefined): void {
    this.state = { ...this.state, transform };
  }

  /** The same rows with a transform. */
  withTransform(transform: BatchTransform): TableDataset {
    return this.with({ transform });
  }

  /** The rows of several datasets, one after another. */
  static concatenate(datasets: readonly TableDataset[]): TableDataset {
    const [first] = datasets;
    if (first === undefined) throw new GraftError("invalid-argument", "no datasets to join", "Give at least one.");
    const sources = datasets.map(
      (dataset): RowSource => ({
        name: dataset.source.name,
        length: dataset.length,
        features: dataset.features,
        row: (index) => dataset.mapped(index),
        place: (index) => dataset.source.place(dataset.sourceRow(index)),
      }),
    );
    const joined = joinedSource("the datasets", sources);
    const { onBadRow, onWarning } = first.state;
    return new TableDataset(joined, { onBadRow, onWarning, features: joined.features, maps: [] });
  }

  private with(change: Partial<State>): TableDataset {
    return new TableDataset(this.source, { ...this.state, ...change });
  }

  private sourceRow(index: number): number {
    return this.state.order?.[index] ?? index;
  }

  /** A row with what `map` made of it; pictures are decoded before. */
  private async mapped(index: number): Promise<Row> {
    const at = this.sourceRow(index);
    const raw = await this.source.row(at);
    const { source } = this;
    const cells = await Promise.all(
      Object.entries(this.state.features).map(async ([name, { type }]): Promise<[string, unknown]> => {
        const from = type === "Image" ? imageSource(raw[name]) : undefined;
        if (from === undefined) return [name, raw[name] ?? null];
        try {
          return [name, await loadImage(from)];
        } catch (error) {
          if (!(error instanceof GraftError)) throw error;
          throw new GraftError(
            error.code,
            `${source.place(at)}, column "${name}": ${error.message}`,
            `${error.hint} onBadRow: "skip" leaves such rows out.`,
            { cause: error },
          );
        }
      }),
    );
    let row: Row = Object.fromEntries(cells);
    for (const change of this.state.maps) row = { ...row, ...(await change(row, index)) };
    return row;
  }

  /** A row; undefined for one that cannot be read and is to be left out. */
  private async readable(
    index: number,
    { seed, epoch }: ExampleContext,
    isTransformed = true,
  ): Promise<Row | undefined> {
    const { transform, onBadRow = "error", onWarning = console.warn } = this.state;
    let row: Row;
    try {
      row = await this.mapped(index);
    } catch (error) {
      if (onBadRow === "error" || !(error instanceof GraftError)) throw error;
      onWarning(`left out: ${error.message}`);
      return undefined;
    }
    if (transform === undefined || !isTransformed) return row;
    const batch = await transform(columnsOf([row]), new CounterRng([seed, epoch, index, TRANSFORM_STREAM]));
    return Object.fromEntries(Object.entries(batch).map(([name, [first]]) => [name, first]));
  }
}

const TRANSFORM_STREAM = 0xa06;

function columnsOf(rows: readonly Row[]): RowBatch {
  const names = Object.keys(rows[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])]));
}
