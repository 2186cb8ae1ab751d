import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  AutoModelForSequenceClassification,
  type LogEntry,
  Trainer,
  TrainingArguments,
  type TrainingArgumentsOptions,
} from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { collateTiny, goldenFolder, type TinyRow, temporaryFolder, tinyTextDataset } from "./tiny.js";

/** What reference/make_trainer_golden.py printed: arguments, and what transformers' Trainer did with them. */
interface Case {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly rows: number;
  readonly scores: readonly number[] | null;
  readonly log: readonly LogEntry[];
  readonly checkpoints: readonly string[];
  readonly best: { readonly checkpoint: string | null; readonly metric: number | null; readonly step: number | null };
  readonly globalStep: number;
  readonly maxSteps: number;
  readonly epoch: number;
}
const cases: Case[] = JSON.parse(readFileSync(join(goldenFolder, "training", "trainer.json"), "utf8"));

const camelCase = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
/** Of two float32 implementations after some AdamW updates at 1e-3. */
const TOLERANCE = 2e-4;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let modelFolder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  modelFolder = join(folder.path, "model");
  await cp(join(goldenFolder, "models", "bert_seqcls"), modelFolder, { recursive: true });
  const path = join(modelFolder, "config.json");
  const config = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...config, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 }));
});
afterAll(() => folder.remove());

function expectEntry(actual: LogEntry | undefined, expected: LogEntry): void {
  for (const [name, value] of Object.entries(expected)) {
    const got = actual?.[name];
    expect(got, name).toBeTypeOf("number");
    expect(Math.abs((got as number) - value), `${name}: ${got} instead of ${value}`).toBeLessThan(
      TOLERANCE * Math.max(1, Math.abs(value)),
    );
  }
}

describe("the Trainer does what transformers' does", () => {
  it.each(cases.map((one) => [one.name, one] as const))("%s", async (name, expected) => {
    const scores = [...(expected.scores ?? [])];
    const outputDir = join(folder.path, name);
    const model = await AutoModelForSequenceClassification.fromPretrained(modelFolder, { threads: 1 });
    const options = Object.fromEntries(Object.entries(expected.args).map(([key, value]) => [camelCase(key), value]));
    const trainer = new Trainer<TinyRow>({
      model,
      args: new TrainingArguments({
        outputDir,
        perDeviceTrainBatchSize: 4,
        perDeviceEvalBatchSize: 4,
        learningRate: 1e-3,
        trainSamplingStrategy: "sequential",
        ...(options as TrainingArgumentsOptions),
      }),
      trainDataset: tinyTextDataset(expected.rows),
      evalDataset: tinyTextDataset(10, 100),
      dataCollator: collateTiny,
      ...(expected.scores && { computeMetrics: () => ({ score: scores.shift() as number }) }),
    });
    await trainer.train();
    const { state } = trainer;
    expect(state).toMatchObject({ globalStep: expected.globalStep, maxSteps: expected.maxSteps });
    expect(state.epoch).toBeCloseTo(expected.epoch, 9);
    expect(state.logHistory).toHaveLength(expected.log.length);
    for (const [index, entry] of expected.log.entries()) expectEntry(state.logHistory[index], entry);
    const saved = existsSync(outputDir) ? readdirSync(outputDir).filter((file) => file.startsWith("checkpoint-")) : [];
    expect(saved.sort()).toEqual(expected.checkpoints);
    const { checkpoint, step, metric } = expected.best;
    expect(state.bestModelCheckpoint && basename(state.bestModelCheckpoint)).toBe(checkpoint);
    expect(state.bestGlobalStep).toBe(step);
    if (metric === null) expect(state.bestMetric).toBeNull();
    else expect(Math.abs((state.bestMetric as number) - metric)).toBeLessThan(TOLERANCE);
    await model.dispose();
  });
});
