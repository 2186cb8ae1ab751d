import {
  AutoModelForImageClassification,
  createTrainingSession,
  Engine,
  getPeftModel,
  LoraConfig,
  type PeftModel,
  type PreTrainedModel,
  platform,
} from "graft-peft";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { goldenFolder, inputsOf, readTensors } from "./golden.js";

const folder = goldenFolder("vit_imgcls");
const io = await readTensors(`${folder}/io.safetensors`);
const inputs = { ...inputsOf(io), labels: io.get("labels")! };
const silent = { onReport: () => {} };

async function sharedEngine(): Promise<Engine> {
  const engine = await Engine.create({ threads: 1 });
  onTestFinished(() => engine.dispose());
  return engine;
}

/** A base model that is trained whole, another of the same names, and one with an adapter. */
async function threeModels(options: { engine?: Engine; threads?: number }): Promise<(PreTrainedModel | PeftModel)[]> {
  const load = () => AutoModelForImageClassification.fromPretrained(folder, { ...silent, ...options });
  const fresh = AutoModelForImageClassification.fromConfig((await load()).config.raw, { ...options, seed: 7 });
  const adapted = getPeftModel(await load(), new LoraConfig({ r: 4, targetModules: ["query"] }), { seed: 3 });
  return [await load(), fresh, adapted];
}

/** Losses of some updates and the predictions after them. */
async function trained(models: readonly (PreTrainedModel | PeftModel)[], steps = 2) {
  const sessions = models.map((model) => createTrainingSession(model, { optimizer: "sgd" }));
  const losses: number[][] = [];
  for (let step = 0; step < steps; step++) {
    losses.push(await Promise.all(sessions.map(async (session) => (await session.forwardBackward(inputs)).loss)));
    await Promise.all(sessions.map((session) => session.optimizerStep({ learningRate: 0.1 })));
  }
  const predictions = await Promise.all(models.map((model) => model(inputs)));
  return { losses, predictions };
}

describe("models that share an engine", () => {
  it("train and predict as models with engines of their own, to the bit", async () => {
    const separate = await threeModels({ threads: 1 });
    const together = await threeModels({ engine: await sharedEngine() });
    const expected = await trained(separate);
    expect(await trained(together)).toEqual(expected);
    expect(new Set(expected.losses.flat()).size).toBeGreaterThan(4);
    await Promise.all(separate.map((model) => model.dispose()));
  });

  it("dispose their own part of it: the others go on, and a disposed one may be called again", async () => {
    const engine = await sharedEngine();
    const [first, , adapted] = (await threeModels({ engine })) as [PreTrainedModel, PreTrainedModel, PeftModel];
    const before = await trained([first, adapted]);
    const bytes = await engine.residentBytes();
    await first.dispose();
    expect(await engine.residentBytes()).toBeLessThan(bytes);
    expect(await adapted(inputs)).toEqual(before.predictions[1]);
    expect(engine.hasEnded).toBe(false);
    expect((await first(inputs)).logits!.shape).toEqual(before.predictions[0]!.logits!.shape);
  });

  it("start one worker for a sweep", async () => {
    const spawn = vi.spyOn(platform, "spawnWorker");
    onTestFinished(() => spawn.mockRestore());
    const engine = await sharedEngine();
    for (let seed = 0; seed < 5; seed++) {
      const model = await AutoModelForImageClassification.fromPretrained(folder, { ...silent, engine });
      const adapted = getPeftModel(model, new LoraConfig({ r: 2, targetModules: ["query"] }), { seed });
      await trained([adapted], 1);
      await adapted.dispose();
    }
    expect(spawn).toHaveBeenCalledTimes(1);
    expect(await engine.residentBytes()).toBe(0);
  });

  it("are refused options of an engine beside it, and say so when it has ended", async () => {
    const engine = await sharedEngine();
    const both = AutoModelForImageClassification.fromPretrained(folder, { ...silent, engine, threads: 2 });
    await expect(both).rejects.toMatchObject({ code: "invalid-argument", message: expect.stringContaining("threads") });
    const model = await AutoModelForImageClassification.fromPretrained(folder, { ...silent, engine });
    await engine.dispose();
    await expect(model(inputs)).rejects.toMatchObject({ code: "aborted" });
  });
});
