import { GraftError } from "../../errors.js";
import { later } from "../../turn.js";
import type { Dataset } from "../dataset.js";
import { requireCount } from "../require-count.js";
import type { Batch, BatchTensors } from "./batch.js";
import { type Sampler, type SamplingStrategy, samplers } from "./samplers.js";

/** Options of `dataLoader`. */
export interface DataLoaderOptions<Row> {
  readonly dataset: Dataset<Row>;
  /** Rows of a batch, at least 1; the last batch may have fewer. */
  readonly batchSize: number;
  /** Stacks rows to a model's inputs: `DataCollatorWithPadding(...)`, `collateImages(...)`. */
  readonly collate: (rows: readonly Row[]) => BatchTensors;
  /** Default "sequential". */
  readonly sampler?: SamplingStrategy | Sampler;
  /** Leaves out the last batch if it is smaller than the others. Default false. */
  readonly dropLast?: boolean;
  /** Of the order and of what is random in making a row. Default 0. */
  readonly seed?: number;
  /** Of the order alone. Default: `seed`. */
  readonly samplerSeed?: number;
  /** Default 0. Order and augmentation differ from epoch to epoch. */
  readonly epoch?: number;
  /** Batches at the start that are left out, when a run is resumed within an epoch. Default 0. */
  readonly skipBatches?: number;
  /** Batches that are made while one is being used. Default 2. */
  readonly prefetch?: number;
  /** Rows of one optimiser step, for "group_by_length". Default: the batch size. */
  readonly samplingBatchSize?: number;
}

/** The batches of one epoch. Each iteration starts anew. */
export interface DataLoader extends AsyncIterable<Batch> {
  /** Number of batches, skipped ones not counted. */
  readonly length: number;
}

/**
 * Batches of a dataset, made ahead while the last one is used: reading, decoding and tokenising overlap with training.
 * The batches are a function of (dataset, options) alone.
 *
 * @throws GraftError `invalid-argument` for counts out of range and unknown samplers, `empty-dataset` for no rows; while
 * iterating, whatever making a row throws, at the batch that holds it.
 */
export function dataLoader<Row>(options: DataLoaderOptions<Row>): DataLoader {
  const {
    dataset,
    batchSize,
    sampler = "sequential",
    dropLast = false,
    seed = 0,
    epoch = 0,
    skipBatches = 0,
    prefetch = 2,
    samplingBatchSize = batchSize,
  } = options;
  requireCount("batchSize", batchSize);
  requireCount("samplingBatchSize", samplingBatchSize);
  requireCount("skipBatches", skipBatches, 0);
  requireCount("prefetch", prefetch, 0);
  if (dataset.length === 0) {
    throw new GraftError("empty-dataset", "the dataset has no rows", "Check the path, the split and the row range.");
  }
  const batches = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
  const order = samplerOf(sampler)({
    length: dataset.length,
    ...(dataset.lengths !== undefined && { lengths: dataset.lengths }),
    batchSize: samplingBatchSize,
    seed: options.samplerSeed ?? seed,
    epoch,
  });
  const make = async (number: number): Promise<Batch> => {
    const indices = Array.from(order.subarray(number * batchSize, (number + 1) * batchSize));
    const rows = await Promise.all(indices.map((index) => dataset.get(index, { seed, epoch })));
    return { tensors: options.collate(rows), indices };
  };
  return {
    length: Math.max(0, batches - skipBatches),
    [Symbol.asyncIterator]: () => ahead(make, skipBatches, batches, prefetch),
  };
}

function samplerOf(sampler: SamplingStrategy | Sampler): Sampler {
  if (typeof sampler === "function") return sampler;
  if (Object.hasOwn(samplers, sampler)) return samplers[sampler];
  throw new GraftError(
    "invalid-argument",
    `there is no sampling strategy ${JSON.stringify(sampler)}`,
    `Take ${Object.keys(samplers).join(", ")}, or a function.`,
  );
}

async function* ahead(
  make: (number: number) => Promise<Batch>,
  first: number,
  end: number,
  prefetch: number,
): AsyncGenerator<Batch, void> {
  const queue: Promise<Batch>[] = [];
  let next = first;
  const fill = () => {
    while (next < end && queue.length <= prefetch) {
      // A failure is reported when its batch is due.
      queue.push(later(make(next++)));
    }
  };
  fill();
  for (let batch = queue.shift(); batch !== undefined; batch = queue.shift()) {
    const ready = await batch;
    fill();
    yield ready;
  }
}
