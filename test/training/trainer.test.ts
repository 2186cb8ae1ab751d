import { existsSync, readdirSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AutoTokenizer,
  accuracy,
  argMax,
  EarlyStoppingCallback,
  PrinterCallback,
  type Progress,
  Trainer,
  type TrainerCallback,
  type TrainerOptions,
  TrainingArguments,
  type TrainingArgumentsOptions,
} from "graft-peft";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { BatchTensors } from "#graft/data/index";
import { collateTiny, goldenFolder, type TinyRow, temporaryFolder, tinyPeftModel, tinyTextDataset } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let runs = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

interface Setup extends Partial<TrainerOptions<TinyRow>> {
  readonly dropout?: number;
  readonly options?: TrainingArgumentsOptions;
}

/** A trainer over 20 rows in batches of 4: five updates an epoch. */
async function tinyTrainer({ dropout = 0.1, options = {}, ...rest }: Setup = {}) {
  const model = await tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout });
  const outputDir = join(folder.path, `run-${runs++}`);
  const args = new TrainingArguments({
    outputDir,
    perDeviceTrainBatchSize: 4,
    perDeviceEvalBatchSize: 8,
    learningRate: 5e-3,
    numTrainEpochs: 2,
    loggingSteps: 1,
    saveStrategy: "no",
    ...options,
  });
  const trainer = new Trainer<TinyRow>({
    model,
    args,
    trainDataset: tinyTextDataset(20),
    evalDataset: tinyTextDataset(10, 100),
    dataCollator: collateTiny,
    computeMetrics: ({ predictions, labelIds }) =>
      accuracy({ predictions: argMax(predictions), references: labelIds!.data as Int32Array }),
    ...rest,
  });
  return { trainer, model, outputDir };
}

const losses = (trainer: Trainer<TinyRow>) =>
  trainer.state.logHistory.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));

async function adapterBytes(path: string): Promise<Buffer> {
  return readFile(join(path, "adapter_model.safetensors"));
}

describe("training", () => {
  it("learns, and the same seed gives the same run to the bit", async () => {
    const [first, second, other] = await Promise.all([
      tinyTrainer({ options: { numTrainEpochs: 6 } }),
      tinyTrainer({ options: { numTrainEpochs: 6 } }),
      tinyTrainer({ options: { numTrainEpochs: 6, seed: 7 } }),
    ]);
    for (const { trainer, outputDir } of [first, second, other]) {
      await trainer.train();
      await trainer.saveModel(outputDir);
    }
    const curve = losses(first.trainer);
    expect(curve).toHaveLength(30);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(curve.slice(-5))).toBeLessThan(0.8 * mean(curve.slice(0, 5)));
    expect(losses(second.trainer)).toEqual(curve);
    expect(losses(other.trainer)).not.toEqual(curve);
    expect((await adapterBytes(first.outputDir)).equals(await adapterBytes(second.outputDir))).toBe(true);
    await Promise.all([first, second, other].map(({ model }) => model.dispose()));
  });

  it("dataSeed decides the order of the rows and nothing else", async () => {
    const run = async (options: TrainingArgumentsOptions) => {
      const data = tinyTextDataset(20);
      const order: number[] = [];
      const seeds = new Set<number>();
      const get: typeof data.get = (index, context) => {
        order.push(index);
        seeds.add(context.seed);
        return data.get(index, context);
      };
      const trainDataset = { ...data, get };
      const { trainer, model } = await tinyTrainer({ trainDataset, options: { numTrainEpochs: 1, ...options } });
      await trainer.train();
      await model.dispose();
      return { order, seeds: [...seeds], losses: losses(trainer) };
    };
    const [both, data, seed] = [await run({ seed: 5, dataSeed: 9 }), await run({ seed: 9 }), await run({ seed: 5 })];
    expect(both.order).toEqual(data.order);
    expect(both.order).not.toEqual(seed.order);
    expect(both.seeds).toEqual([5]);
    // The same rows in the same order; what differs is dropout, which follows the seed.
    expect(both.losses).not.toEqual(data.losses);
  });

  it("dropout acts in training and nowhere else", async () => {
    // A learning rate of 0: what differs between runs is dropout alone.
    const options = { learningRate: 0, maxSteps: 3, trainSamplingStrategy: "sequential" } as const;
    const withDropout = await tinyTrainer({ dropout: 0.3, options });
    const without = await tinyTrainer({ dropout: 0, options });
    const batch = collateTiny([await tinyTextDataset(1).get(0, { seed: 0, epoch: 0 })]);
    const before = (await withDropout.model(batch)).logits!.data;
    await withDropout.trainer.train();
    await without.trainer.train();
    expect(losses(withDropout.trainer)).not.toEqual(losses(without.trainer));
    const { eval_loss: noisy } = await withDropout.trainer.evaluate();
    const { eval_loss: clean } = await without.trainer.evaluate();
    expect(noisy).toBeCloseTo(clean!, 6);
    const after = (await withDropout.model(batch)).logits!.data;
    after.forEach((value, i) => {
      expect(value).toBeCloseTo(before[i]!, 5);
    });
    await withDropout.model.dispose();
    await without.model.dispose();
  });

  it("a resumed run equals the uninterrupted one to the bit", async () => {
    // Seven updates: the checkpoint at 3 lies within the first epoch, the one at 6 in the second; accumulation is uneven.
    const options: TrainingArgumentsOptions = {
      gradientAccumulationSteps: 2,
      maxSteps: 7,
      weightDecay: 0.01,
      saveStrategy: "steps",
      saveSteps: 1,
      loggingSteps: 2,
      trainSamplingStrategy: "group_by_length",
    };
    const whole = await tinyTrainer({ options });
    const full = await whole.trainer.train();
    await whole.model.dispose();
    for (const step of [1, 3, 5]) {
      const part = await tinyTrainer({ options });
      const resumeFromCheckpoint = join(whole.outputDir, `checkpoint-${step}`);
      const resumed = await part.trainer.train({ resumeFromCheckpoint });
      expect(resumed.globalStep).toBe(7);
      expect(resumed.trainingLoss).toBe(full.trainingLoss);
      expect(losses(part.trainer)).toEqual(losses(whole.trainer));
      const expected = await adapterBytes(join(whole.outputDir, "checkpoint-7"));
      expect((await adapterBytes(join(part.outputDir, "checkpoint-7"))).equals(expected)).toBe(true);
      expect(existsSync(join(part.outputDir, `checkpoint-${step}`))).toBe(false);
      await part.model.dispose();
    }
  });

  it("warns when a resumed run is given other options", async () => {
    const first = await tinyTrainer({ options: { maxSteps: 2, saveStrategy: "steps", saveSteps: 1 } });
    await first.trainer.train();
    await first.model.dispose();
    const warnings: string[] = [];
    const onWarning = (message: string) => {
      warnings.push(message);
    };
    const second = await tinyTrainer({ options: { maxSteps: 2, seed: 7, adamBeta2: 0.95 }, onWarning });
    await second.trainer.train({ resumeFromCheckpoint: join(first.outputDir, "checkpoint-1") });
    expect(warnings).toEqual([
      expect.stringMatching(/other options: adamBeta2 \(0\.95, was 0\.999\), seed \(7, was 42\)/),
    ]);
    await second.model.dispose();
  });

  it("a run resumed into another folder keeps the checkpoint's decisions about int8", async () => {
    const options: TrainingArgumentsOptions = {
      maxSteps: 2,
      saveStrategy: "steps",
      saveSteps: 1,
    };
    const first = await tinyTrainer({ options });
    await first.trainer.train();
    await first.model.dispose();
    const checkpoint = join(first.outputDir, "checkpoint-1");
    const kept = { used: "f32", reason: "decided before", products: [] };
    await writeFile(join(checkpoint, "frozen_precision.json"), JSON.stringify(kept));
    const onWarning = vi.fn();
    const second = await tinyTrainer({ options: { ...options, frozenPrecision: "int8" }, onWarning });
    await second.trainer.train({ resumeFromCheckpoint: checkpoint });
    await second.model.dispose();
    expect(onWarning.mock.calls).toEqual([[expect.stringContaining("frozenPrecision (int8, was f32)")]]);
    for (const folder of [second.outputDir, join(second.outputDir, "checkpoint-2")]) {
      expect(JSON.parse(await readFile(join(folder, "frozen_precision.json"), "utf8"))).toEqual(kept);
    }
  });

  it("a run cut into micro-batches is the whole run to rounding; a resumed one takes the cut that was found", async () => {
    const whole = await tinyTrainer({ options: { maxSteps: 4 } });
    await whole.trainer.train();
    const options: TrainingArgumentsOptions = {
      maxSteps: 4,
      autoMicroBatch: true,
      saveStrategy: "steps",
      saveSteps: 2,
    };
    const cut = await tinyTrainer({ options });
    await cut.trainer.train();
    for (const [step, loss] of losses(whole.trainer).entries()) {
      expect(losses(cut.trainer)[step]).toBeCloseTo(loss, 5);
    }
    const checkpoint = join(cut.outputDir, "checkpoint-2");
    const found = JSON.parse(await readFile(join(checkpoint, "micro_batch.json"), "utf8"));
    expect(found.rows).toBeGreaterThan(0);
    const resumed = await tinyTrainer({ options });
    await resumed.trainer.train({ resumeFromCheckpoint: checkpoint });
    expect(losses(resumed.trainer).slice(-2)).toEqual(losses(cut.trainer).slice(-2));
    for (const path of [resumed.outputDir, join(resumed.outputDir, "checkpoint-4")]) {
      expect(JSON.parse(await readFile(join(path, "micro_batch.json"), "utf8"))).toEqual(found);
    }
    for (const { model } of [whole, cut, resumed]) await model.dispose();
  });

  it("weighs accumulated batches by their labelled rows; ignored rows do not count", async () => {
    const run = async (rows: TinyRow[], options: TrainingArgumentsOptions) => {
      const common = { maxSteps: 1, trainSamplingStrategy: "sequential" } as const;
      const { trainer, model } = await tinyTrainer({
        dropout: 0,
        trainDataset: rows,
        options: { ...common, ...options },
      });
      await trainer.train();
      await model.dispose();
      return trainer.state.logHistory[0]!;
    };
    const [a, b, c] = await Promise.all([0, 1, 2].map((row) => tinyTextDataset(3).get(row, { seed: 0, epoch: 0 })));
    const ignored = { inputIds: [9, 9], label: -100 };
    const plain = await run([a!, b!, c!], { perDeviceTrainBatchSize: 3 });
    const parts = await run([a!, ignored, ignored, ignored, b!, c!], {
      perDeviceTrainBatchSize: 2,
      gradientAccumulationSteps: 3,
    });
    expect(parts.loss).toBeCloseTo(plain.loss!, 5);
    expect(parts.grad_norm).toBeCloseTo(plain.grad_norm!, 5);
  });

  it("an abort ends after the update in progress, saves, and the run can go on", async () => {
    const options: TrainingArgumentsOptions = { maxSteps: 6 };
    const whole = await tinyTrainer({ options });
    await whole.trainer.train();
    await whole.trainer.saveModel(whole.outputDir);
    const controller = new AbortController();
    const callback: TrainerCallback = {
      onStepBegin: ({ state }) => {
        if (state.globalStep === 2) controller.abort();
      },
    };
    const part = await tinyTrainer({ options, callbacks: [callback] });
    const output = await part.trainer.train({ signal: controller.signal });
    expect(output).toMatchObject({ stopReason: "aborted", globalStep: 3 });
    expect(output.checkpoint).toBe(join(part.outputDir, "checkpoint-3"));
    const rest = await part.trainer.train({ resumeFromCheckpoint: true });
    expect(rest).toMatchObject({ stopReason: "completed", globalStep: 6 });
    await part.trainer.saveModel(part.outputDir);
    expect((await adapterBytes(part.outputDir)).equals(await adapterBytes(whole.outputDir))).toBe(true);
    await whole.model.dispose();
    await part.model.dispose();
  });

  it.each<[string, TrainingArgumentsOptions, number, number]>([
    ["the first evaluation", { evalStrategy: "epoch", saveStrategy: "epoch" }, 5, 1],
    ["the last evaluation", { evalStrategy: "epoch", saveStrategy: "epoch" }, 10, 1],
    ["the last evaluation, best saved", { evalStrategy: "epoch", saveStrategy: "best" }, 10, 1],
    [
      "an evaluation within an epoch",
      { evalStrategy: "steps", evalSteps: 3, saveSteps: 3, saveStrategy: "steps" },
      3,
      1,
    ],
    ["the update at an epoch's end", { evalStrategy: "epoch", saveStrategy: "epoch" }, 5, 0],
  ])("an abort in %s loses nothing", async (_, options, step, during) => {
    const scores = [0.9, 0.5, 0.6, 0.7];
    const run = (callbacks: TrainerCallback[] = [], more: TrainingArgumentsOptions = {}) => {
      const computeMetrics = () => ({ score: scores.shift()! });
      const best = { loadBestModelAtEnd: true, metricForBestModel: "score", ...options, ...more };
      return tinyTrainer({ options: best, callbacks, computeMetrics });
    };
    const history = ({ state }: Trainer<TinyRow>) =>
      state.logHistory.map(({ loss, eval_loss, eval_score, epoch, step }) => ({
        loss,
        eval_loss,
        eval_score,
        epoch,
        step,
      }));
    const whole = await run();
    await whole.trainer.train();
    await whole.trainer.saveModel();
    scores.splice(0, 4, 0.9, 0.5, 0.6, 0.7);
    const controller = new AbortController();
    const phase = during === 1 ? "evaluate" : "train";
    const aborting: TrainerCallback = {
      onProgress: ({ state, progress }) => {
        if (state.globalStep === step && progress.phase === phase) controller.abort();
      },
    };
    const part = await run([aborting]);
    const output = await part.trainer.train({ signal: controller.signal });
    expect(output).toMatchObject({ stopReason: "aborted", globalStep: step });
    const rest = await run([], { outputDir: part.outputDir });
    const completed = await rest.trainer.train({ resumeFromCheckpoint: true });
    expect(completed).toMatchObject({ stopReason: "completed", globalStep: 10 });
    await rest.trainer.saveModel(part.outputDir);
    expect(history(rest.trainer)).toEqual(history(whole.trainer));
    expect(rest.trainer.state.bestGlobalStep).toBe(whole.trainer.state.bestGlobalStep);
    expect((await adapterBytes(part.outputDir)).equals(await adapterBytes(whole.outputDir))).toBe(true);
    for (const { model } of [whole, part, rest]) await model.dispose();
  });

  it("an abort before the first update makes none and saves none", async () => {
    const { trainer, model, outputDir } = await tinyTrainer({ options: { saveStrategy: "steps", saveSteps: 1 } });
    const output = await trainer.train({ signal: AbortSignal.abort() });
    expect(output).toMatchObject({ stopReason: "aborted", globalStep: 0, trainingLoss: 0, checkpoint: null });
    expect(readdirSync(outputDir)).toEqual(["events.jsonl"]);
    expect(await trainer.train()).toMatchObject({ stopReason: "completed", globalStep: 10 });
    await model.dispose();
  });

  it("reads rows from an async generator once, for all epochs and runs", async () => {
    const data = tinyTextDataset(20);
    async function* stream() {
      for (let row = 0; row < data.length; row++) yield await data.get(row, { seed: 0, epoch: 0 });
    }
    const [plain, streamed] = [await tinyTrainer(), await tinyTrainer({ trainDataset: stream() })];
    await plain.trainer.train();
    await streamed.trainer.train();
    expect(losses(streamed.trainer)).toEqual(losses(plain.trainer));
    expect(await streamed.trainer.train()).toMatchObject({ globalStep: 10 });
    await Promise.all([plain, streamed].map(({ model }) => model.dispose()));
  });

  it("loads the best model at the end and keeps its checkpoint", async () => {
    const values = [0.5, 0.9, 0.7, 0.8];
    let evaluation = 0;
    const { trainer, model, outputDir } = await tinyTrainer({
      options: {
        numTrainEpochs: 4,
        evalStrategy: "epoch",
        saveStrategy: "epoch",
        loadBestModelAtEnd: true,
        metricForBestModel: "score",
        saveTotalLimit: 2,
      },
      computeMetrics: () => ({ score: values[evaluation++]! }),
    });
    await trainer.train();
    expect(trainer.state).toMatchObject({ bestMetric: 0.9, bestGlobalStep: 10 });
    expect(readdirSync(outputDir).sort()).toEqual(["checkpoint-10", "checkpoint-20", "events.jsonl"]);
    await trainer.saveModel(join(outputDir, "final"));
    const final = await adapterBytes(join(outputDir, "final"));
    expect(final.equals(await adapterBytes(join(outputDir, "checkpoint-10")))).toBe(true);
    expect(final.equals(await adapterBytes(join(outputDir, "checkpoint-20")))).toBe(false);
    await model.dispose();
  });

  it("saves the processing class with the model and in checkpoints", async () => {
    const source = join(goldenFolder, "data", "tiny-wordpiece");
    const processingClass = await AutoTokenizer.fromPretrained(source);
    const options = { maxSteps: 1, saveStrategy: "steps" } as const;
    const { trainer, model, outputDir } = await tinyTrainer({ processingClass, options });
    await trainer.train();
    await trainer.saveModel();
    for (const saved of [outputDir, join(outputDir, "checkpoint-1")]) {
      const files = readdirSync(saved);
      expect(files).toEqual(expect.arrayContaining(["adapter_config.json", "tokenizer.json", "tokenizer_config.json"]));
      expect((await AutoTokenizer.fromPretrained(saved)).encode("a day")).toEqual(processingClass.encode("a day"));
    }
    await model.dispose();
  });

  it("stops early when the metric no longer improves, in a resumed run too", async () => {
    const make = (scores: number[]) =>
      tinyTrainer({
        options: { numTrainEpochs: 6, evalStrategy: "epoch", saveStrategy: "best", metricForBestModel: "score" },
        computeMetrics: () => ({ score: scores.shift()! }),
        callbacks: [new EarlyStoppingCallback({ earlyStoppingPatience: 2 })],
      });
    const { trainer, model } = await make([0.5, 0.6, 0.55, 0.58, 0.9]);
    expect(await trainer.train()).toMatchObject({ globalStep: 20, stopReason: "callback" });
    const best = trainer.state.bestModelCheckpoint!;
    expect(best).toMatch(/checkpoint-10$/);
    await model.dispose();
    const again = await make([0.55, 0.58, 0.9]);
    const output = await again.trainer.train({ resumeFromCheckpoint: best });
    expect(output).toMatchObject({ globalStep: 20, stopReason: "callback" });
    await again.model.dispose();
  });

  it("a metric that is NaN is never the best, and a second run begins to wait anew", async () => {
    const scores = [Number.NaN, 0.5, 0.4, 0.3, 0.9];
    const { trainer, model } = await tinyTrainer({
      options: { numTrainEpochs: 6, evalStrategy: "epoch", metricForBestModel: "score" },
      computeMetrics: () => ({ score: scores.shift() ?? 0 }),
      callbacks: [new EarlyStoppingCallback({ earlyStoppingPatience: 2 })],
    });
    expect(await trainer.train()).toMatchObject({ globalStep: 20, stopReason: "callback" });
    scores.splice(0, scores.length, 0.1, 0.2, 0.1, 0.1);
    expect(await trainer.train()).toMatchObject({ globalStep: 20, stopReason: "callback" });
    await model.dispose();
  });

  it("evaluates all rows whatever the batch size, and predicts row by row", async () => {
    const { trainer, model } = await tinyTrainer({ options: { perDeviceEvalBatchSize: 3 } });
    const metrics = await trainer.evaluate();
    const data = tinyTextDataset(10, 100);
    let loss = 0;
    const predicted = await trainer.predict(data);
    expect(predicted.predictions.shape).toEqual([10, 3]);
    for (let row = 0; row < 10; row++) {
      const single = await model(collateTiny([await data.get(row, { seed: 0, epoch: 0 })]));
      loss += single.loss! / 10;
      single.logits!.data.forEach((value, i) => {
        expect(predicted.predictions.data[3 * row + i]!).toBeCloseTo(value, 5);
      });
    }
    expect(metrics.eval_loss).toBeCloseTo(loss, 5);
    expect(predicted.metrics.test_accuracy).toBe(metrics.eval_accuracy);
    await model.dispose();
  });

  it("says nothing by itself; PrinterCallback prints every log", async () => {
    const print = vi.fn();
    const { trainer, model } = await tinyTrainer({
      options: { maxSteps: 2, evalStrategy: "epoch" },
      callbacks: [new PrinterCallback(print)],
    });
    await trainer.train();
    expect(print.mock.calls.map(([line]) => JSON.parse(line))).toEqual(trainer.state.logHistory);
    expect(print).toHaveBeenCalledTimes(4);
    await model.dispose();
  });

  it("a callback can end an epoch", async () => {
    const callback: TrainerCallback = {
      onStepEnd: ({ state, control }) => {
        if (state.globalStep === 2) control.shouldEpochStop = true;
      },
    };
    const { trainer, model } = await tinyTrainer({ callbacks: [callback] });
    // Two updates of the first epoch, five of the second.
    expect(await trainer.train()).toMatchObject({ globalStep: 7, stopReason: "callback", metrics: { epoch: 2 } });
    await model.dispose();
  });

  it("tells callbacks in order, and writes events.jsonl", async () => {
    const seen: string[] = [];
    const progress: Progress[] = [];
    const note = (name: string) => () => {
      seen.push(name);
    };
    const callback: TrainerCallback = {
      onTrainBegin: note("trainBegin"),
      onEpochBegin: note("epochBegin"),
      onStepBegin: note("stepBegin"),
      onSubstepEnd: note("substepEnd"),
      onStepEnd: note("stepEnd"),
      onLog: note("log"),
      onEvaluate: note("evaluate"),
      onSave: note("save"),
      onEpochEnd: note("epochEnd"),
      onTrainEnd: note("trainEnd"),
      onProgress: (event) => {
        progress.push(event.progress);
      },
    };
    const { trainer, model, outputDir } = await tinyTrainer({
      options: { maxSteps: 1, gradientAccumulationSteps: 2, evalStrategy: "steps", saveStrategy: "steps" },
      callbacks: [callback],
    });
    const { metrics } = await trainer.train();
    expect(seen.join(" ")).toBe(
      "trainBegin epochBegin stepBegin substepEnd stepEnd log log evaluate save epochEnd log trainEnd",
    );
    expect(progress.map(({ phase, done, total }) => [phase, done, total])).toEqual([
      ["train", 1, 1],
      ["evaluate", 1, 2],
      ["evaluate", 2, 2],
    ]);
    expect(progress[0]!.loss).toBe(losses(trainer)[0]);
    expect(metrics).toMatchObject({ train_loss: losses(trainer)[0], epoch: 0.4 });
    const lines = (await readFile(join(outputDir, "events.jsonl"), "utf8")).trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(["trainBegin", "log", "evaluate", "save", "trainEnd"]);
    await model.dispose();
  });
});

describe("what training refuses", () => {
  it.each<[string, Setup, string, RegExp]>([
    ["no rows", { trainDataset: [] }, "empty-dataset", /trainDataset has no rows/],
    [
      "no full batch",
      { trainDataset: tinyTextDataset(3), options: { dataloaderDropLast: true } },
      "empty-dataset",
      /3 rows, which make no batch of 4/,
    ],
    [
      "a label outside the map",
      { trainDataset: [{ inputIds: [5], label: 3 }] },
      "invalid-label",
      /row 0 has the label 3; .* takes 0 to 2/,
    ],
    [
      "a token outside the vocabulary",
      { trainDataset: [{ inputIds: [5, 64], label: 1 }] },
      "invalid-token",
      /row 0, position 1, holds the token id 64/,
    ],
    ["rows without labels", { dataCollator: withoutLabels }, "invalid-label", /have no labels/],
    ["a missing checkpoint", { options: { outputDir: "/nonexistent" } }, "file-not-found", /no checkpoint/],
  ])("%s", async (name, setup, code, message) => {
    const { trainer, model } = await tinyTrainer(setup);
    const run = trainer.train({ resumeFromCheckpoint: name === "a missing checkpoint" });
    await expect(run).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await model.dispose();
  });

  it("a loss that is not finite, naming the update; the weights stay those of the update before", async () => {
    const { trainer, model, outputDir } = await tinyTrainer({
      dropout: 0,
      // AdamW's update is at most about the learning rate: from such weights the next loss overflows.
      options: {
        learningRate: 1e38,
        lrSchedulerType: "constant",
        maxGradNorm: 0,
        maxSteps: 8,
        saveStrategy: "steps",
        saveSteps: 1,
      },
    });
    await expect(trainer.train()).rejects.toMatchObject({
      code: "not-finite",
      message: expect.stringMatching(/update \d of 8, at learning rate 1e\+38: the (loss|gradient norm) is/),
      hint: expect.stringMatching(/Lower learningRate/),
    });
    const lines = (await readFile(join(outputDir, "events.jsonl"), "utf8")).trimEnd().split("\n");
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ event: "error", code: "not-finite" });
    await trainer.saveModel(outputDir);
    const last = join(outputDir, `checkpoint-${trainer.state.globalStep}`);
    expect((await adapterBytes(outputDir)).equals(await adapterBytes(last))).toBe(true);
    await model.dispose();
  });

  it("evaluations without data, a best metric that computeMetrics does not give", async () => {
    await expect(tinyTrainer({ options: { evalStrategy: "epoch" }, evalDataset: undefined as never })).rejects.toThrow(
      /there is no evalDataset/,
    );
    const { trainer, model } = await tinyTrainer({
      options: { maxSteps: 1, evalStrategy: "steps", metricForBestModel: "f1" },
    });
    await expect(trainer.train()).rejects.toThrow(/the evaluation has no eval_f1/);
    await model.dispose();
  });
});

function withoutLabels(rows: readonly TinyRow[]): BatchTensors {
  const { labels: _, ...inputs } = collateTiny(rows);
  return inputs;
}
