import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Progress, Trainer, type TrainerCallback, TrainingArguments } from "graft-peft";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { frozenPrecisions, type Int8PrecisionOptions } from "#graft/precision/index";
import { collateTiny, type TinyRow, temporaryFolder, tinyPeftModel, tinyTextDataset } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => folder.remove());

/** Two updates; the engine's word about int8 weights comes between them, as it would within one. */
async function run(callback: TrainerCallback): Promise<string> {
  const outputDir = join(folder.path, `run-${Math.random()}`);
  const model = await tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout: 0 });
  let tell: Int8PrecisionOptions["onQuantize"];
  vi.spyOn(frozenPrecisions, "int8").mockImplementation((options) => {
    tell = options?.onQuantize;
    return { report: undefined, prepare: async () => {} };
  });
  const engineTells: TrainerCallback = {
    onStepEnd: ({ state }) => {
      if (state.globalStep !== 1) return;
      tell?.({ done: 30, total: 72, seconds: 0.6 });
      tell?.({ done: 72, total: 72, seconds: 1.44 });
    },
  };
  const trainer = new Trainer<TinyRow>({
    model,
    args: new TrainingArguments({
      outputDir,
      perDeviceTrainBatchSize: 4,
      maxSteps: 2,
      saveStrategy: "no",
      frozenPrecision: "int8",
    }),
    trainDataset: tinyTextDataset(8),
    dataCollator: collateTiny,
    callbacks: [engineTells, callback],
  });
  try {
    await trainer.train();
  } finally {
    await model.dispose();
  }
  return outputDir;
}

describe("progress of int8 weights", () => {
  it("reaches the callbacks in order, and events.jsonl when it is done", async () => {
    const seen: Progress[] = [];
    const outputDir = await run({
      onProgress: async ({ progress }) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen.push(progress);
      },
    });
    const quantized = seen.filter(({ phase }) => phase === "quantize");
    expect(quantized.map(({ done, total }) => [done, total])).toEqual([
      [30, 72],
      [72, 72],
    ]);
    expect(quantized[0]!.secondsLeft).toBeCloseTo(42 * 0.02, 9);
    const lines = (await readFile(join(outputDir, "events.jsonl"), "utf8")).trimEnd().split("\n");
    const events = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "quantize");
    expect(events).toMatchObject([{ matrices: 72, seconds: 1.44 }]);
  });

  it("ends the run where a callback throws", async () => {
    const throwing = run({
      onProgress: ({ progress }) => {
        if (progress.phase === "quantize") throw new Error("the listener broke");
      },
    });
    await expect(throwing).rejects.toThrow("the listener broke");
  });
});
