import { join } from "node:path";
import { Trainer, TrainingArguments } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { temporaryFolder, tinyPeftModel, trainingGolden } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

/** float32 sums in another order: losses of order 1 agree to this. */
const TOLERANCE = 1e-5;

describe("the Trainer's updates are PyTorch's", () => {
  it.each(["bert_default", "bert_multilabel", "roberta_default", "vit_default"])("%s", async (name) => {
    const { run, batches, trained } = await trainingGolden(name);
    const model = await tinyPeftModel(folder.path, { base: run.model, adapter: run.adapter, dropout: 0 });
    // Every row is a whole micro-batch of the golden run; they come in turn.
    const count = run.steps * run.gradientAccumulationSteps;
    const rows = Array.from({ length: count }, (_, i) => batches[i % batches.length]!);
    const outputDir = join(folder.path, `out-${name}`);
    const trainer = new Trainer({
      model,
      args: new TrainingArguments({
        outputDir,
        perDeviceTrainBatchSize: 1,
        gradientAccumulationSteps: run.gradientAccumulationSteps,
        numTrainEpochs: 1,
        learningRate: run.learningRate,
        weightDecay: run.weightDecay,
        maxGradNorm: run.maxGradNorm,
        warmupSteps: run.warmupSteps,
        trainSamplingStrategy: "sequential",
        loggingSteps: 1,
        saveStrategy: "no",
      }),
      trainDataset: rows,
      dataCollator: ([batch]) => batch!,
    });
    const { globalStep, trainingLoss } = await trainer.train();
    expect(globalStep).toBe(run.steps);
    const logs = trainer.state.logHistory.filter((entry) => entry.loss !== undefined);
    expect(logs).toHaveLength(run.steps);
    logs.forEach((entry, step) => {
      const expected = run.results[step]!;
      expect(Math.abs(entry.loss! - expected.loss)).toBeLessThan(TOLERANCE);
      expect(Math.abs(entry.grad_norm! - expected.gradNorm)).toBeLessThan(TOLERANCE * Math.max(1, expected.gradNorm));
      expect(Math.abs(entry.learning_rate! - expected.learningRate)).toBeLessThan(1e-15);
    });
    const mean = run.results.reduce((sum, { loss }) => sum + loss, 0) / run.steps;
    expect(Math.abs(trainingLoss - mean)).toBeLessThan(TOLERANCE);

    await trainer.saveModel(outputDir);
    const saved = await readAllTensors(await openSafetensors(join(outputDir, "adapter_model.safetensors")));
    expect([...saved.keys()].sort()).toEqual([...trained.keys()].sort());
    for (const [key, expected] of trained) {
      const actual = saved.get(key)!.data as Float32Array;
      const differences = Array.from(expected.data as Float32Array, (value, i) => Math.abs(value - actual[i]!));
      const worst = Math.max(...differences);
      // AdamW divides by the gradient's own size: where that is near zero, rounding shows most.
      expect(worst, key).toBeLessThan(2e-4);
    }
    await model.dispose();
  });
});
