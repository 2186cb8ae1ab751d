import { AutoModelForImageClassification, type PreTrainedModel } from "graft-peft";
import { describe, expect, it, onTestFinished } from "vitest";
import type { TensorData } from "#graft/tensor-data";
import { temporaryFolder } from "./folder.js";
import { goldenFolder, inputsOf, maxDifference, readTensors } from "./golden.js";

const silent = { threads: 1, onReport: () => {} };
const io = await readTensors(`${goldenFolder("vit_imgcls")}/io.safetensors`);
const inputs = { ...inputsOf(io), labels: io.get("labels")! };

async function load(folder = goldenFolder("vit_imgcls")) {
  const model = await AutoModelForImageClassification.fromPretrained(folder, silent);
  onTestFinished(() => model.dispose());
  return model;
}

/** SGD steps on the golden batch; the losses before each. */
async function train(model: PreTrainedModel, steps: number): Promise<number[]> {
  const { runner } = model;
  const { feeds, rules } = model.prepareInputs(inputs);
  const program = await runner.trainingProgram(rules);
  const parameters = runner.trainedParameters().map(({ name }) => ({ name, weightDecay: 0 }));
  const optimizer = await (await runner.engine()).createOptimizer({ optimizer: "sgd", parameters });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push((await program.accumulate(feeds, { masks: { seed: 0, step, microStep: 0 } })).loss);
    await optimizer.step({ learningRate: 0.01 });
  }
  return losses;
}

describe("a model is an object that can be called", () => {
  it("with its class, its fields and its methods", async () => {
    const model = await load();
    expect(typeof model).toBe("function");
    expect(model.constructor.name).toBe("PreTrainedModel");
    expect(model.config.modelType).toBe("vit");
    const [called, forwarded] = [await model(inputs), await model.forward(inputs)];
    expect(called).toEqual(forwarded);
    expect(Object.keys(called).sort()).toEqual(["logits", "loss"]);
  });

  it("many calls at once share one engine and one program", async () => {
    const model = await load();
    const all = await Promise.all(Array.from({ length: 4 }, () => model(inputs)));
    for (const outputs of all) expect(outputs).toEqual(all[0]);
  });

  it("a disposed model starts again with the next call", async () => {
    const model = await load();
    const before = await model(inputs);
    await model.dispose();
    expect(await model(inputs)).toEqual(before);
  });

  it("gives way to an AbortSignal", async () => {
    const model = await load();
    await expect(model.forward(inputs, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("calls that overlap", () => {
  const classifierBias = (model: PreTrainedModel) =>
    model.namedParameters().find(([name]) => name === "classifier.bias")![1];

  it("changes: each call computes with the parameters of its moment, in training too", async () => {
    for (const isTraining of [false, true]) {
      const model = await load();
      if (isTraining) await train(model, 1);
      const bias = classifierBias(model);
      const calls = [0, 10, 20, 0].map((value) => {
        bias.setData({ dtype: "float32", shape: [3], data: new Float32Array(3).fill(value) });
        return model(inputs);
      });
      const [zero, ten, twenty, again] = (await Promise.all(calls)).map(({ logits }) => logits.data[0] as number);
      expect([ten! - zero!, twenty! - zero!, again! - zero!].map(Math.round)).toEqual([10, 20, 0]);
    }
  });

  it("copying trained values: neither they nor values set meanwhile are lost", async () => {
    const model = await load();
    await train(model, 2);
    const trained = await model(inputs);
    const copies = [model.runner.syncFromEngine(), model.runner.syncFromEngine()];
    const between = model(inputs);
    await Promise.all(copies);
    expect([await between, await model(inputs)]).toEqual([trained, trained]);
    const copying = model.runner.syncFromEngine();
    const data = Float32Array.of(1, 2, 3);
    classifierBias(model).setData({ dtype: "float32", shape: [3], data });
    await copying;
    expect(classifierBias(model).source).toMatchObject({ data: { data } });
  });

  it("a parameter without elements: that call and those that relied on it fail, later ones do not", async () => {
    const model = await load();
    await train(model, 1);
    const bias = classifierBias(model);
    bias.source = { kind: "shape" };
    const calls = Promise.allSettled([model(inputs), model(inputs)]);
    const weight = model.namedParameters().find(([name]) => name === "classifier.weight")![1];
    const old = weight.source;
    await model.runner.syncFromEngine();
    expect(weight.source).not.toBe(old);
    const failure = { status: "rejected", reason: { code: "missing-tensor" } };
    expect(await calls).toMatchObject([failure, failure]);
    bias.setData({ dtype: "float32", shape: [3], data: new Float32Array(3) });
    await model(inputs);
  });

  it("an AbortSignal drops a call that waits behind others", async () => {
    const model = await load();
    const abort = new AbortController();
    const calls = [model(inputs), model.forward(inputs, { signal: abort.signal }), model(inputs)];
    abort.abort();
    await expect(calls[1]).rejects.toMatchObject({ code: "aborted" });
    expect(await calls[2]).toEqual(await calls[0]);
  });
});

describe("programs follow the model", () => {
  it("new elements of a parameter are used without being told", async () => {
    const model = await load();
    const before = await model(inputs);
    const bias = model.namedParameters().find(([name]) => name === "classifier.bias")![1];
    bias.setData({ dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) });
    const after = await model(inputs);
    const kept = bias.source;
    const elements = { dtype: "float32", shape: [3], data: Float32Array.of(0, 0, 0) } as const;
    bias.adjustments.push({ by: "test", elements });
    const overridden = await model(inputs);
    bias.adjustments.length = 0;
    expect(bias.source).toBe(kept);
    expect(await model(inputs)).toEqual(after);
    const shift = (a: TensorData, b: TensorData) => [0, 1, 2].map((i) => Number(a.data[i]) - Number(b.data[i]));
    for (const [i, value] of shift(after.logits, overridden.logits).entries()) expect(value).toBeCloseTo(i + 1, 5);
    expect(maxDifference(before.logits, after.logits)).toBeGreaterThan(0.1);
  });

  it("training begins with PyTorch's loss and lowers it; predictions see the trained weights", async () => {
    const model = await load();
    const before = await model(inputs);
    const losses = await train(model, 5);
    expect(Math.abs(losses[0]! - Number(io.get("loss")!.data[0]))).toBeLessThan(1e-5);
    const after = await model(inputs);
    expect(after.loss!).toBeLessThan(losses[4]!);
    expect(losses[4]!).toBeLessThan(losses[0]!);
    expect(maxDifference(before.logits, after.logits)).toBeGreaterThan(1e-3);
  });

  it("what was trained is what is saved", async () => {
    const model = await load();
    await train(model, 2);
    const folder = await temporaryFolder();
    await model.savePretrained(folder);
    const trained = await model(inputs);
    const loaded = await (await load(folder))(inputs);
    // Weights fed to the graph and weights built into it may be multiplied in another order.
    expect(maxDifference(loaded.logits, trained.logits)).toBeLessThan(1e-5);
  });

  it("a disposed model keeps what was trained", async () => {
    const model = await load();
    await train(model, 2);
    const trained = await model(inputs);
    await model.dispose();
    const folder = await temporaryFolder();
    await model.savePretrained(folder);
    for (const one of [model, await load(folder)]) {
      expect(maxDifference((await one(inputs)).logits, trained.logits)).toBeLessThan(1e-5);
    }
  });

  it("a model trained afresh twice ends at the same bits", async () => {
    const [first, second] = [await load(), await load()];
    expect(await train(first, 3)).toEqual(await train(second, 3));
    expect(await first(inputs)).toEqual(await second(inputs));
  });
});
