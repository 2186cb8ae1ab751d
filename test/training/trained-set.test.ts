import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  getPeftModel,
  PrefixTuningConfig,
  PromptEncoderConfig,
  Trainer,
  TrainingArguments,
} from "graft-peft";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PeftModel } from "#graft/peft/index";
import { collateTiny, goldenFolder, type TinyRow, temporaryFolder, tinyTextDataset } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const common = { taskType: "SEQ_CLS", numVirtualTokens: 3, encoderHiddenSize: 12 } as const;

it.each([
  ["p-tuning", () => new PromptEncoderConfig(common)],
  ["projected-prefix", () => new PrefixTuningConfig({ ...common, prefixProjection: true })],
])("%s: a resumed run equals the uninterrupted one to the bit", async (name, config) => {
  const open = () =>
    AutoModelForSequenceClassification.fromPretrained(join(goldenFolder, "models/bert_seqcls"), {
      threads: 1,
      onReport: () => {},
    });
  const run = async (part: string, seed: number) => {
    const model = getPeftModel(await open(), config(), { seed });
    const outputDir = join(folder.path, `${name}-${part}`);
    const args = new TrainingArguments({
      outputDir,
      maxSteps: 4,
      perDeviceTrainBatchSize: 4,
      learningRate: 5e-3,
      saveStrategy: "steps",
      saveSteps: 1,
    });
    const trainer = new Trainer<TinyRow>({ model, args, trainDataset: tinyTextDataset(12), dataCollator: collateTiny });
    return { trainer, model, outputDir };
  };
  const bytes = (outputDir: string, file: string) => readFile(join(outputDir, "checkpoint-4", file));
  const whole = await run("whole", 0);
  await whole.trainer.train();
  await whole.trainer.saveModel();
  // Another seed: everything that is trained comes from the checkpoint.
  const part = await run("part", 1);
  await part.trainer.train({ resumeFromCheckpoint: join(whole.outputDir, "checkpoint-2") });
  for (const file of ["adapter_model.safetensors", "trained.safetensors", "optimizer.safetensors"]) {
    const [found, wanted] = [await bytes(part.outputDir, file), await bytes(whole.outputDir, file)];
    expect(found.equals(wanted), file).toBe(true);
  }
  expect(existsSync(join(whole.outputDir, "trained.safetensors"))).toBe(false);
  await whole.model.dispose();
  await part.model.dispose();

  const base = await open();
  const model = await PeftModel.fromPretrained(base, join(whole.outputDir, "checkpoint-4"), { isTrainable: true });
  const target = join(folder.path, `${name}-again`);
  await model.saveTrained(target);
  for (const file of ["adapter_model.safetensors", "trained.safetensors"]) {
    expect((await readFile(join(target, file))).equals(await bytes(whole.outputDir, file)), file).toBe(true);
  }
  await base.dispose();
});
