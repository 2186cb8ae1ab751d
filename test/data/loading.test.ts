import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type Dataset, datasetOf } from "#graft/data/dataset";
import { ImageProcessor } from "#graft/data/images/processor";
import { rawImage } from "#graft/data/images/raw-image";
import {
  compose,
  randomCropBox,
  randomHorizontalFlip,
  randomResizedCrop,
  toTensor,
} from "#graft/data/images/transforms";
import type { Batch, BatchTensors } from "#graft/data/loading/batch";
import { type DataLoader, dataLoader } from "#graft/data/loading/data-loader";
import { collateImages, imageDataset } from "#graft/data/loading/images";
import { groupByLength, type SamplingStrategy, samplers } from "#graft/data/loading/samplers";
import { DataCollatorWithPadding, tokenizeDataset } from "#graft/data/loading/text";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { CounterRng } from "#graft/random";
import { tensorData } from "#graft/tensor-data";

const golden = fileURLToPath(new URL("../golden/data/", import.meta.url));
const numbers = (length: number) => datasetOf(Array.from({ length }, (_, i) => i));
const collateNumbers = (rows: readonly number[]): BatchTensors => ({
  x: tensorData("int32", [rows.length], Int32Array.from(rows)),
});

async function collect(loader: DataLoader): Promise<Batch[]> {
  const out: Batch[] = [];
  for await (const batch of loader) out.push(batch);
  return out;
}

const orders = async (loader: DataLoader) => (await collect(loader)).map(({ indices }) => indices);

describe("samplers", () => {
  it("groups by length exactly as transformers does", () => {
    const cases: { batchSize: number; lengths: number[]; shuffle: number[]; grouped: number[] }[] = JSON.parse(
      readFileSync(`${golden}length-groups.json`, "utf8"),
    );
    expect(cases.length).toBeGreaterThan(3);
    for (const { batchSize, lengths, shuffle, grouped } of cases) {
      expect(Array.from(groupByLength(Int32Array.from(shuffle), lengths, batchSize))).toEqual(grouped);
    }
  });

  it("shuffles by seed and epoch, and groups only where lengths are known", () => {
    const input = { length: 50, batchSize: 4, seed: 1, epoch: 0 };
    const order = samplers.random(input);
    expect(samplers.random(input)).toEqual(order);
    expect(samplers.random({ ...input, epoch: 1 })).not.toEqual(order);
    expect(samplers.random({ ...input, seed: 2 })).not.toEqual(order);
    expect(Array.from(samplers.sequential(input))).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(() => samplers.group_by_length(input)).toThrow(/lengths/);
  });
});

describe("dataLoader", () => {
  const base = { dataset: numbers(10), batchSize: 4, collate: collateNumbers };

  it("gives all rows in order, the last batch smaller or left out", async () => {
    expect(await orders(dataLoader(base))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(dataLoader(base).length).toBe(3);
    expect(await orders(dataLoader({ ...base, dropLast: true }))).toHaveLength(2);
  });

  it("resumes within an epoch with the batches that were left", async () => {
    const options = { ...base, sampler: "random", seed: 5, epoch: 2 } as const;
    const all = await orders(dataLoader(options));
    expect(all.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, i) => i));
    expect(await orders(dataLoader({ ...options, skipBatches: 2 }))).toEqual(all.slice(2));
    expect(dataLoader({ ...options, skipBatches: 2 }).length).toBe(1);
  });

  it("makes batches ahead, but no more than asked for", async () => {
    const asked: number[] = [];
    const dataset: Dataset<number> = {
      length: 100,
      get: (index) => {
        asked.push(index);
        return index;
      },
    };
    const iterator = dataLoader({ ...base, dataset, prefetch: 2 })[Symbol.asyncIterator]();
    await iterator.next();
    expect(asked.length).toBeGreaterThan(4);
    expect(asked.length).toBeLessThanOrEqual(16);
  });

  it("reports a row's failure at its own batch", async () => {
    const dataset: Dataset<number> = {
      length: 8,
      get: (index) => (index === 5 ? Promise.reject(new Error("row 5")) : index),
    };
    const iterator = dataLoader({ ...base, dataset })[Symbol.asyncIterator]();
    expect((await iterator.next()).done).toBe(false);
    await expect(iterator.next()).rejects.toThrow("row 5");
  });

  it("refuses no rows, counts out of range and unknown samplers", () => {
    expect(() => dataLoader({ ...base, dataset: numbers(0) })).toThrow(/no rows/);
    const counts = [{ batchSize: 0 }, { prefetch: -1 }, { skipBatches: 0.5 }, { samplingBatchSize: 0 }];
    for (const count of counts) {
      const [[name, value]] = Object.entries(count) as [[string, number]];
      expect(() => dataLoader({ ...base, ...count })).toThrow(`${name} is ${value}`);
    }
    const sampler = "shuffled" as SamplingStrategy;
    expect(() => dataLoader({ ...base, sampler })).toThrow('there is no sampling strategy "shuffled"');
  });
});

describe("text batches", () => {
  it("pads to the longest row, with masks, token types and labels", async () => {
    const tokenizer = await Tokenizer.fromFolder(`${golden}tiny-wordpiece`);
    const examples = [
      { text: "the soup", textPair: "was good", label: 1 },
      { text: "it rained", textPair: "and rained and rained", label: 0 },
    ];
    const dataset = tokenizeDataset(examples, tokenizer);
    const [batch] = await collect(dataLoader({ dataset, batchSize: 2, collate: DataCollatorWithPadding(tokenizer) }));
    const { inputIds, attentionMask, tokenTypeIds, labels } = batch!.tensors;
    const longest = Math.max(...dataset.lengths);
    for (const tensor of [inputIds, attentionMask, tokenTypeIds]) {
      expect(tensor).toMatchObject({ dtype: "int32", shape: [2, longest] });
    }
    const short = dataset.lengths[0]!;
    expect(short).toBeLessThan(longest);
    const row = Array.from(inputIds!.data as Int32Array).slice(0, longest);
    expect(row.slice(0, short)).toEqual(Array.from(tokenizer.encode("the soup", "was good").inputIds));
    expect(row.slice(short).every((id) => id === tokenizer.padTokenId)).toBe(true);
    expect(Array.from(attentionMask!.data as Int32Array).slice(0, longest)).toEqual(
      Array.from({ length: longest }, (_, i) => (i < short ? 1 : 0)),
    );
    expect(Array.from(tokenTypeIds!.data as Int32Array).slice(0, short)).toEqual(
      Array.from(tokenizer.encode("the soup", "was good").tokenTypeIds!),
    );
    expect(labels).toEqual(tensorData("int32", [2], Int32Array.of(1, 0)));
    // Collating plain rows gives the same batch.
    expect(DataCollatorWithPadding(tokenizer)(examples)).toEqual(batch!.tensors);
  });

  it("rounds lengths up, makes regression labels float32, and leaves token types out for RoBERTa's kind", async () => {
    const tokenizer = await Tokenizer.fromFolder(`${golden}tiny-bpe`);
    const collate = DataCollatorWithPadding(tokenizer, { padToMultipleOf: 8, problemType: "regression" });
    const tensors = collate([
      { text: "a small model", label: 0.5 },
      { text: "learns", label: 2 },
    ]);
    expect(Object.keys(tensors).sort()).toEqual(["attentionMask", "inputIds", "labels"]);
    expect(tensors.inputIds!.shape[1]! % 8).toBe(0);
    expect(tensors.labels).toEqual(tensorData("float32", [2], Float32Array.of(0.5, 2)));
    expect(() => collate([{ text: "a", label: 1 }, { text: "b" }])).toThrow(/1 of 2 rows/);
  });

  it("needs a pad token for rows of different lengths only", async () => {
    const tokenizer = await Tokenizer.fromFolder(`${golden}tiny-bpe`, { padToken: "</s>" });
    expect(tokenizer.padTokenId).toBe(2);
    await expect(Tokenizer.fromFolder(`${golden}tiny-bpe`, { padToken: "<nothing>" })).rejects.toMatchObject({
      code: "invalid-token",
    });
    await expect(Tokenizer.fromFolder(`${golden}files`)).rejects.toMatchObject({ code: "file-not-found" });
  });
});

describe("labels of a batch", () => {
  const pixelValues = tensorData("float32", [1, 1, 1], Float32Array.of(0));
  const collated = (label: unknown, problemType: "regression" | "single_label_classification") =>
    collateImages({ problemType })([{ pixelValues, label: label as number }]);

  it.each([1.5, Number.NaN, "cat", "2", true, null])("refuses %j as a class id", (label) => {
    expect(() => collated(label, "single_label_classification")).toThrow(
      expect.objectContaining({ code: "invalid-label", message: expect.stringMatching(/no class id/) }),
    );
  });

  it("takes any number in regression, and nothing else", () => {
    expect(collated(1.5, "regression").labels?.data).toEqual(Float32Array.of(1.5));
    expect(() => collated("1.5", "regression")).toThrow(expect.objectContaining({ code: "invalid-label" }));
  });
});

describe("image batches", () => {
  const picture = (seed: number) => {
    const random = new CounterRng([seed]);
    return rawImage(
      20,
      16,
      3,
      Uint8Array.from({ length: 960 }, () => random.integer(256)),
    );
  };
  const examples = Array.from({ length: 5 }, (_, i) => ({ image: picture(i), label: i }));

  it("stacks pictures, the same in every epoch with a processor and different with augmentation", async () => {
    const processor = ImageProcessor.fromJson({ size: 8 });
    const augment = compose(randomResizedCrop(8), randomHorizontalFlip(), toTensor());
    const epochs = async (prepare: Parameters<typeof imageDataset>[1]) => {
      const dataset = imageDataset(examples, prepare);
      return Promise.all(
        [0, 1, 0].map((epoch) => collect(dataLoader({ dataset, batchSize: 5, collate: collateImages(), epoch }))),
      );
    };
    const [first, second, again] = await epochs(processor);
    expect(first![0]!.tensors.pixelValues!.shape).toEqual([5, 3, 8, 8]);
    expect(first![0]!.tensors.labels!.data).toEqual(Int32Array.of(0, 1, 2, 3, 4));
    expect(second).toEqual(first);
    expect(again).toEqual(first);
    const [one, two, oneAgain] = await epochs(augment);
    expect(two).not.toEqual(one);
    expect(oneAgain).toEqual(one);
  });

  it("gives the same pixels whether or not pictures are kept", async () => {
    const processor = ImageProcessor.fromJson({ size: 8 });
    const kept = imageDataset(examples, processor);
    const fresh = imageDataset(examples, processor, { cacheBytes: 0 });
    const context = { seed: 0, epoch: 0 };
    await kept.get(3, context);
    expect(await kept.get(3, context)).toEqual(await fresh.get(3, context));
  });

  it("refuses pictures of different sizes in one batch", () => {
    const of = (side: number) => ({
      pixelValues: tensorData("float32", [1, side, side], new Float32Array(side * side)),
    });
    expect(() => collateImages()([of(2), of(3)])).toThrow(/\[1,2,2\] and \[1,3,3\]/);
  });

  it("crops within the picture, with torchvision's range of areas and ratios", () => {
    const random = new CounterRng([1]);
    let area = 0;
    const n = 4000;
    for (let i = 0; i < n; i++) {
      const { top, left, height, width } = randomCropBox({ height: 300, width: 400 }, random);
      expect(top >= 0 && left >= 0 && top + height <= 300 && left + width <= 400).toBe(true);
      expect(width / height).toBeGreaterThan(0.73);
      expect(width / height).toBeLessThan(1.36);
      const share = (height * width) / 120_000;
      expect(share).toBeGreaterThan(0.078);
      area += share / n;
    }
    // The mean over 20,000 draws of torchvision's own; five standard errors of 4000 draws are 0.02.
    const { randomCropMeanShare } = JSON.parse(readFileSync(`${golden}images.json`, "utf8"));
    expect(Math.abs(area - randomCropMeanShare)).toBeLessThan(0.02);
    // Too wide for any try: the central crop of the largest allowed ratio.
    expect(randomCropBox({ height: 3, width: 1000 }, random, { scale: [1, 1] })).toEqual({
      top: 0,
      left: 498,
      height: 3,
      width: 4,
    });
  });

  it("flips half of the pictures", () => {
    const random = new CounterRng([2]);
    const image = rawImage(2, 1, 1, Uint8Array.of(0, 255));
    let flipped = 0;
    for (let i = 0; i < 2000; i++) flipped += randomHorizontalFlip()(image, random).data[0] === 255 ? 1 : 0;
    expect(Math.abs(flipped - 1000)).toBeLessThan(112);
  });
});
