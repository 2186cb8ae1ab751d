import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  createTrainingSession,
  GraftError,
  type OptimizerStepOptions,
  type PreTrainedModel,
  Trainer,
  TrainingArguments,
} from "graft-peft";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readParameter } from "#graft/models/index";
import type { Parameter } from "#graft/nn/index";
import { Engine } from "#graft/runtime/index";
import { collateTiny, goldenFolder, type TinyRow, temporaryFolder, tinyPeftModel, tinyTextDataset } from "./tiny.js";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const rows = await Promise.all([0, 1, 2, 3].map((row) => tinyTextDataset(4).get(row, { seed: 0, epoch: 0 })));
const batch = collateTiny(rows);

function peftModel() {
  return tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout: 0 });
}

describe("a training session", () => {
  it("gives loss and gradients in one call, and applies the optimiser in another", async () => {
    const model = await peftModel();
    const session = createTrainingSession(model, { optimizer: "sgd" });
    const first = await session.forwardBackward(batch);
    expect(first.loss).toBeCloseTo((await model(batch)).loss!, 5);
    const gradients = await session.gradients();
    const trained = model.namedParameters().filter(([, parameter]) => parameter.trainable);
    expect(Object.keys(gradients).sort()).toEqual(trained.map(([name]) => name).sort());
    const before = new Map(await Promise.all(trained.map(([name, p]) => content(name, p))));
    const { gradNorm } = await session.optimizerStep({ learningRate: 0.1 });
    let squares = 0;
    await session.sync();
    for (const [name, parameter] of trained) {
      const after = (await readParameter(parameter)).data;
      gradients[name]!.data.forEach((gradient, i) => {
        squares += Number(gradient) ** 2;
        expect(after[i]!).toBeCloseTo(before.get(name)![i]! - 0.1 * Number(gradient), 6);
      });
    }
    expect(gradNorm).toBeCloseTo(Math.sqrt(squares), 5);
    expect(session.step).toBe(1);
    expect((await session.forwardBackward(batch)).loss).toBeLessThan(first.loss);
    await model.dispose();
  });

  it("takes an optimiser by its name, or with settings of its own", async () => {
    const model = await peftModel();
    const plain = createTrainingSession(model, { optimizer: { name: "sgd", momentum: 0.9 } });
    await plain.forwardBackward(batch);
    await plain.optimizerStep({ learningRate: 0.1 });
    const state = await plain.state();
    expect(state?.optimizer).toBe("sgd");
    // Only momentum keeps an array for each parameter.
    expect(Object.keys(state?.tensors ?? {}).length).toBeGreaterThan(0);
    const wrong = createTrainingSession(model, { optimizer: { name: "adamw", betas: [0.9, 1] } });
    await expect(wrong.forwardBackward(batch)).rejects.toMatchObject({ code: "invalid-argument" });
    await model.dispose();
  });

  it("LoRA-FA trains B and leaves A, which is trained again after the session", async () => {
    const model = await peftModel();
    const session = createTrainingSession(model, { optimizer: "lorafa" });
    const named = (name: string) => model.namedParameters().filter(([key]) => key.includes(name));
    const read = (name: string) => Promise.all(named(name).map(([key, parameter]) => content(key, parameter)));
    const [a, b] = [await read("lora_A"), await read("lora_B")];
    const losses: number[] = [];
    for (let step = 0; step < 4; step++) {
      losses.push((await session.forwardBackward(batch)).loss);
      await session.optimizerStep({ learningRate: 0.01 });
    }
    await session.sync();
    expect(losses[3]!).toBeLessThan(losses[0]!);
    expect(await read("lora_A")).toEqual(a);
    expect(await read("lora_B")).not.toEqual(b);
    await session.dispose();
    expect(named("lora_A").every(([, { trainable }]) => trainable)).toBe(true);
    await model.dispose();
  });

  it.each([
    ["LoRA-FA", { optimizer: "lorafa" }],
    ["LoRA+", { optimizer: "adamw", loraplus: { lrRatio: 16, embeddingScale: 1 } }],
  ] as const)("%s without LoRA is refused by name", async (name, options) => {
    const model = await AutoModelForSequenceClassification.fromPretrained(join(goldenFolder, "models/bert_seqcls"));
    expect(() => createTrainingSession(model, options)).toThrow(name);
    await model.dispose();
  });

  it("adds gradients up by weight, and forgets them on request", async () => {
    const model = await peftModel();
    const session = createTrainingSession(model, { optimizer: "sgd" });
    const part = (from: number, to: number) => collateTiny(rows.slice(from, to));
    await session.forwardBackward(batch);
    await session.zeroGrad();
    await session.forwardBackward(part(0, 3), { weight: 3 / 4 });
    await session.forwardBackward(part(3, 4), { weight: 1 / 4 });
    const summed = await session.gradients();
    await session.zeroGrad();
    await session.forwardBackward(batch);
    for (const [name, gradient] of Object.entries(await session.gradients())) {
      gradient.data.forEach((value, i) => {
        expect(Number(summed[name]!.data[i])).toBeCloseTo(Number(value), 5);
      });
    }
    await model.dispose();
  });

  it("carries calls out in the order in which they are made, awaited or not", async () => {
    const run = async (isAwaited: boolean) => {
      const model = await tinyPeftModel(folder.path, { base: "bert_seqcls", adapter: "bert_default", dropout: 0.3 });
      const session = createTrainingSession(model);
      const calls: Promise<unknown>[] = [];
      for (const call of [
        () => session.forwardBackward(batch),
        () => session.forwardBackward(batch),
        () => session.optimizerStep({ learningRate: 1e-2 }),
        () => session.forwardBackward(batch).then(({ loss }) => loss),
        () => session.gradients(),
        () => session.dispose(),
      ]) {
        calls.push(call());
        if (isAwaited) await calls.at(-1);
      }
      const results = await Promise.all(calls);
      await model.dispose();
      return results.slice(2, 5);
    };
    expect(await run(false)).toEqual(await run(true));
  });

  it("frees the optimiser in the worker when it is disposed; the model keeps what it has learnt", async () => {
    const createOptimizer = vi.spyOn(Engine.prototype, "createOptimizer");
    const model = await peftModel();
    const session = createTrainingSession(model);
    await session.forwardBackward(batch);
    await session.optimizerStep({ learningRate: 1e-2 });
    const { loss } = await model(batch);
    await session.forwardBackward(batch);
    await session.dispose();
    const handle = await createOptimizer.mock.results[0]!.value;
    await expect(handle.state()).rejects.toThrow(/was disposed/);
    expect((await model(batch)).loss).toBe(loss);
    for (const call of [
      () => session.forwardBackward(batch),
      () => session.optimizerStep({ learningRate: 1 }),
      () => session.state(),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: "invalid-argument",
        message: expect.stringMatching(/session was disposed/),
      });
    }
    const next = createTrainingSession(model, { optimizer: "sgd" });
    expect((await next.forwardBackward(batch)).loss).toBeCloseTo(loss!, 5);
    await model.dispose();
    await next.dispose();
    createOptimizer.mockRestore();
  });

  it("refuses a model without trainable parameters, batches without labels, a step without gradients or learning rate", async () => {
    const model = await peftModel();
    const session = createTrainingSession(model);
    const { labels: _, ...inputs } = batch;
    await expect(session.forwardBackward(inputs)).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(session.optimizerStep({ learningRate: 1 })).rejects.toMatchObject({ code: "invalid-argument" });
    await session.forwardBackward(batch);
    const misspelt = { lr: 1e-3 } as unknown as OptimizerStepOptions;
    await expect(session.optimizerStep(misspelt)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/learningRate is undefined/),
    });
    expect(session.step).toBe(0);
    for (const [, parameter] of model.namedParameters()) parameter.trainable = false;
    expect(() => createTrainingSession(model)).toThrow(GraftError);
    await model.dispose();
  });
});

describe("full training of a model without adapters", () => {
  it("resumes to the bit as well", async () => {
    const run = async (name: string, resumeFromCheckpoint: string | false): Promise<PreTrainedModel> => {
      const base = join(goldenFolder, "models", "bert_seqcls");
      const model = await AutoModelForSequenceClassification.fromPretrained(base, { threads: 1 });
      const outputDir = join(folder.path, name);
      const args = new TrainingArguments({ outputDir, maxSteps: 4, saveSteps: 2, learningRate: 1e-3 });
      const trainer = new Trainer<TinyRow>({
        model,
        args,
        trainDataset: tinyTextDataset(20),
        dataCollator: collateTiny,
      });
      await trainer.train({ resumeFromCheckpoint });
      return model;
    };
    const whole = await run("whole", false);
    const resumed = await run("resumed", join(folder.path, "whole", "checkpoint-2"));
    const expected = new Map(await Promise.all(whole.namedParameters().map(([name, p]) => content(name, p))));
    for (const [name, parameter] of resumed.namedParameters()) {
      expect(Array.from((await readParameter(parameter)).data), name).toEqual(Array.from(expected.get(name)!));
    }
    await Promise.all([whole.dispose(), resumed.dispose()]);
  });
});

async function content(name: string, parameter: Parameter): Promise<[string, Float32Array]> {
  return [name, Float32Array.from((await readParameter(parameter)).data)];
}
