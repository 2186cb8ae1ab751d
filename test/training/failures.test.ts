import { appendFileSync, existsSync, readdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { GraftError, Trainer, type TrainerCallback, type TrainerOptions, TrainingArguments } from "graft-peft";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Engine } from "#graft/runtime/index";
import { collateTiny, type TinyRow, temporaryFolder, tinyPeftModel, tinyTextDataset } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let runs = 0;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());
afterEach(() => vi.restoreAllMocks());

/** Five updates, a checkpoint after each. */
async function failing(changes: Partial<TrainerOptions<TinyRow>>, outputDir = join(folder.path, `run-${runs++}`)) {
  const model = await tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout: 0 });
  const trainer = new Trainer<TinyRow>({
    model,
    args: new TrainingArguments({
      outputDir,
      perDeviceTrainBatchSize: 4,
      maxSteps: 5,
      saveSteps: 1,
      loggingSteps: 1,
      trainSamplingStrategy: "sequential",
    }),
    trainDataset: tinyTextDataset(20),
    dataCollator: collateTiny,
    ...changes,
  });
  return { trainer, model, outputDir };
}

interface Line {
  readonly event: string;
  readonly step: number;
}

/** The lines of events.jsonl; throws for one that is not JSON. */
async function events(outputDir: string): Promise<Line[]> {
  const text = await readFile(join(outputDir, "events.jsonl"), "utf8");
  expect(text.endsWith("\n")).toBe(true);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

const broken = new Error("the listener broke");
const throwsAtStep3: TrainerCallback = {
  onStepEnd: ({ state }) => {
    if (state.globalStep === 3) throw broken;
  },
};

describe("a run that fails", () => {
  it.each<[string, Partial<TrainerOptions<TinyRow>>, number, Record<string, unknown>]>([
    [
      "in a callback",
      { callbacks: [throwsAtStep3] },
      3,
      { code: "unexpected", message: "the listener broke", hint: null },
    ],
    [
      "in the data",
      {
        trainDataset: {
          length: 20,
          get: (row) => (row < 12 ? { inputIds: [5, row], label: 0 } : Promise.reject(broken)),
        },
      },
      3,
      { code: "unexpected", message: "the listener broke" },
    ],
    [
      "at a label outside the map",
      { trainDataset: Array.from({ length: 20 }, (_, row) => ({ inputIds: [5], label: row === 9 ? 7 : 1 })) },
      2,
      { code: "invalid-label", message: expect.stringMatching(/row 9/), hint: expect.any(String) },
    ],
  ])(
    "%s ends events.jsonl with an error, frees the optimiser, and can be resumed",
    async (_, changes, step, report) => {
      const createOptimizer = vi.spyOn(Engine.prototype, "createOptimizer");
      const ended: unknown[] = [];
      const told: TrainerCallback = {
        onTrainEnd: () => void ended.push("trainEnd"),
        onTrainError: ({ error }) => void ended.push(error),
      };
      const callbacks = [told, ...(changes.callbacks ?? [])];
      const { trainer, model, outputDir } = await failing({ ...changes, callbacks });
      const error = await trainer.train().catch((caught: unknown) => caught);
      expect(ended).toEqual([error]);
      const lines = await events(outputDir);
      expect(lines[0]).toMatchObject({ event: "trainBegin", step: 0 });
      expect(lines.at(-1)).toMatchObject({ event: "error", step, ...report });
      const handle = await createOptimizer.mock.results[0]!.value;
      await expect(handle.state()).rejects.toThrow(/was disposed/);

      const whole = Array.from({ length: 2 }, (_, index) => `checkpoint-${index + 1}`);
      expect(readdirSync(outputDir)).toEqual(expect.arrayContaining(whole));
      expect(readdirSync(outputDir).filter((name) => !/^(checkpoint-\d|events\.jsonl)$/.test(name))).toEqual([]);
      const next = await failing({}, outputDir);
      expect(await next.trainer.train({ resumeFromCheckpoint: true })).toMatchObject({ globalStep: 5 });
      const all = await events(outputDir);
      expect(all[lines.length]).toMatchObject({ event: "trainBegin" });
      expect(all[lines.length]!.step).toBeGreaterThan(0);
      expect(all.at(-1)).toMatchObject({ event: "trainEnd", step: 5 });
      await Promise.all([model.dispose(), next.model.dispose()]);
    },
  );

  it("resumes to the weights of a run that did not", async () => {
    const good = await failing({});
    await good.trainer.train();
    const bad = await failing({ callbacks: [throwsAtStep3] });
    await expect(bad.trainer.train()).rejects.toBe(broken);
    const next = await failing({}, bad.outputDir);
    await next.trainer.train({ resumeFromCheckpoint: true });
    const weights = ({ outputDir }: { readonly outputDir: string }) =>
      readFile(join(outputDir, "checkpoint-5", "adapter_model.safetensors"));
    expect((await weights(next)).equals(await weights(good))).toBe(true);
    await Promise.all([good, bad, next].map(({ model }) => model.dispose()));
  });

  it("keeps its own error when a callback fails at hearing it", async () => {
    const deaf: TrainerCallback = {
      onTrainError: () => {
        throw new Error("another one");
      },
    };
    const { trainer, model, outputDir } = await failing({ callbacks: [deaf, throwsAtStep3] });
    await expect(trainer.train()).rejects.toBe(broken);
    expect((await events(outputDir)).at(-1)).toMatchObject({ event: "error" });
    await model.dispose();
  });

  it("writes nothing when it fails before it begins", async () => {
    const { trainer, model, outputDir } = await failing({ trainDataset: [] });
    await expect(trainer.train()).rejects.toBeInstanceOf(GraftError);
    expect(existsSync(outputDir)).toBe(false);
    await model.dispose();
  });
});

describe("what is known before the first update", () => {
  const noUpdate: TrainerCallback = {
    onStepBegin: () => {
      throw new Error("an update was begun");
    },
  };

  it("evaluation data without rows", async () => {
    const outputDir = join(folder.path, `run-${runs++}`);
    const args = new TrainingArguments({ outputDir, evalStrategy: "epoch" });
    const { trainer, model } = await failing({ args, evalDataset: [], callbacks: [noUpdate] });
    await expect(trainer.train()).rejects.toMatchObject({
      code: "empty-dataset",
      message: expect.stringMatching(/evalDataset has no rows/),
    });
    expect(existsSync(outputDir)).toBe(false);
    await model.dispose();
  });

  it("a folder that checkpoints cannot be written to", async () => {
    const outputDir = join(folder.path, `run-${runs++}`);
    writeFileSync(outputDir, "a file");
    const args = new TrainingArguments({ outputDir, saveStrategy: "epoch", reportTo: "none" });
    const { trainer, model } = await failing({ args, callbacks: [noUpdate] });
    await expect(trainer.train()).rejects.toMatchObject({ code: "file-access" });
    await model.dispose();
  });

  it("another run of the same Trainer in progress, which goes on", async () => {
    const { trainer, model } = await failing({});
    const first = trainer.train();
    await expect(trainer.train()).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/training already/),
    });
    expect(await first).toMatchObject({ globalStep: 5, stopReason: "completed" });
    await model.dispose();
  });

  it("a checkpoint of data of another length: a warning", async () => {
    const outputDir = join(folder.path, `run-${runs++}`);
    const args = new TrainingArguments({ outputDir, perDeviceTrainBatchSize: 4, numTrainEpochs: 1, saveSteps: 2 });
    const first = await failing({ args });
    await first.trainer.train();
    const warnings: string[] = [];
    const onWarning = (message: string) => void warnings.push(message);
    const second = await failing({ args, trainDataset: tinyTextDataset(12), onWarning });
    await second.trainer.train({ resumeFromCheckpoint: join(outputDir, "checkpoint-2") });
    expect(warnings).toEqual([expect.stringMatching(/of a run of 5 updates, this one has 3/)]);
    await Promise.all([first, second].map(({ model }) => model.dispose()));
  });
});

it("without a number for the best model's metric the last weights stay, and the run says so", async () => {
  const warnings: string[] = [];
  const args = new TrainingArguments({
    outputDir: join(folder.path, `run-${runs++}`),
    numTrainEpochs: 1,
    evalStrategy: "epoch",
    saveStrategy: "epoch",
    loadBestModelAtEnd: true,
    metricForBestModel: "score",
  });
  const { trainer, model } = await failing({
    args,
    evalDataset: tinyTextDataset(4),
    computeMetrics: () => ({ score: Number.NaN }),
    onWarning: (message) => void warnings.push(message),
  });
  await trainer.train();
  expect(warnings).toEqual([expect.stringMatching(/no evaluation gave a number/)]);
  await model.dispose();
});

describe("a fresh run in the folder of an earlier one", () => {
  it("says so, goes on in events.jsonl after dropping a torn line, and rotates the old checkpoints first", async () => {
    const first = await failing({});
    await first.trainer.train();
    const before = (await events(first.outputDir)).length;
    appendFileSync(join(first.outputDir, "events.jsonl"), '{"event":"log","ti');
    const warnings: string[] = [];
    const { args } = first.trainer;
    const second = await failing({
      args: new TrainingArguments({
        outputDir: first.outputDir,
        perDeviceTrainBatchSize: 4,
        maxSteps: 3,
        saveSteps: 1,
        saveTotalLimit: 2,
        trainSamplingStrategy: args.trainSamplingStrategy,
      }),
      onWarning: (message) => void warnings.push(message),
    });
    const output = await second.trainer.train();
    expect(warnings).toEqual([expect.stringMatching(/5 checkpoints of an earlier run, up to checkpoint-5/)]);
    const lines = await events(first.outputDir);
    expect(lines[before]).toMatchObject({ event: "trainBegin", step: 0 });
    expect(lines.at(-1)).toMatchObject({ event: "trainEnd", step: 3 });
    expect(output.checkpoint).toBe(join(first.outputDir, "checkpoint-3"));
    expect(readdirSync(first.outputDir).sort()).toEqual(["checkpoint-2", "checkpoint-3", "events.jsonl"]);
    await Promise.all([first.model.dispose(), second.model.dispose()]);
  });

  it("does not take an old checkpoint for the best one", async () => {
    const first = await failing({});
    await first.trainer.train();
    const scores = [0.1, 0.9, 0.3, 0.4];
    // Evaluations after each update, checkpoints after every other: the best, at update 1, has none of this run.
    const second = await failing({
      args: new TrainingArguments({
        outputDir: first.outputDir,
        maxSteps: 4,
        evalStrategy: "steps",
        evalSteps: 1,
        saveSteps: 2,
        metricForBestModel: "score",
        greaterIsBetter: false,
      }),
      evalDataset: tinyTextDataset(4),
      computeMetrics: () => ({ score: scores.shift()! }),
      onWarning: () => {},
    });
    await second.trainer.train();
    expect(second.trainer.state).toMatchObject({ bestMetric: 0.1, bestGlobalStep: 1, bestModelCheckpoint: null });
    await Promise.all([first.model.dispose(), second.model.dispose()]);
  });
});
