import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type PreTrainedModel, readParameter } from "#graft/models/index";
import { parseAdapterConfig } from "#graft/peft/config/read-config";
import {
  type AdapterConfig,
  FullConfig,
  FullTopConfig,
  getPeftModel,
  LNTuningConfig,
  LoHaConfig,
  LoKrConfig,
  PeftModel,
  VeraConfig,
} from "#graft/peft/index";
import { factorization } from "#graft/peft/tuners/lycoris/factorization";
import { createTrainingSession } from "#graft/training/index";
import { metaOf, namesIn } from "./method-goldens.js";
import { inputsFor, loadClassifier, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

const temporary = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "graft-tuners-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
};

async function bert(): Promise<PreTrainedModel> {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  return base;
}

const batch = async () => (await readGolden("methods/bert_lokr/io.safetensors")).tensors;
const target = { targetModules: ["query", "value"] };

describe("configs", () => {
  const built = namesIn("methods").filter((name) => /_(ln|loha|lokr|vera|adalora)/.test(name));
  test.each(built)("%s is written with PEFT's keys and values", async (name) => {
    const { base: baseName } = metaOf(`methods/${name}`);
    const base = await loadGoldenModel(baseName);
    onTestFinished(() => base.dispose());
    const model = await PeftModel.fromPretrained(base, goldenPath(`methods/${name}`));
    const folder = await temporary();
    await model.savePretrained(folder);
    const read = async (path: string) => JSON.parse(await readFile(join(path, "adapter_config.json"), "utf8"));
    expect(await read(folder)).toEqual(await read(goldenPath(`methods/${name}`)));
  });

  test.each([
    ["LOHA", { use_effective_conv2d: true }],
    ["LOKR", { use_effective_conv2d: true }],
    ["LOKR", { layers_to_transform: [0] }],
    ["VERA", { save_projection: false }],
    ["ADALORA", { total_step: 9, use_dora: true }],
  ])("%s refuses %o by name", (type, field) => {
    const [key] = Object.keys(field).slice(-1) as [string];
    expect(() => parseAdapterConfig({ peft_type: type, ...field }, "a config", () => {})).toThrow(new RegExp(key));
  });
});

test("LoKr's factors are the divisors nearest to the root, or what is asked for", () => {
  expect(factorization(256, -1)).toEqual([16, 16]);
  expect(factorization(128, -1)).toEqual([8, 16]);
  expect(factorization(127, -1)).toEqual([1, 127]);
  expect(factorization(128, 4)).toEqual([4, 32]);
  expect(factorization(768, 5)).toEqual([4, 192]);
});

describe.each<[string, AdapterConfig]>([
  ["LoHa", new LoHaConfig({ ...target, r: 2 })],
  ["LoKr", new LoKrConfig({ ...target, r: 2 })],
  ["LoKr, LyCORIS's way", new LoKrConfig({ ...target, r: 2, initWeights: "lycoris" })],
  ["VeRA", new VeraConfig({ ...target, r: 4 })],
  ["LN tuning", new LNTuningConfig({ targetModules: ["LayerNorm"] })],
  ["full fine-tuning", new FullConfig()],
])("a fresh adapter of %s", (_name, config) => {
  test("changes nothing, and learns", async () => {
    const base = await bert();
    const io = await batch();
    const before = await base(inputsFor(base, io));
    const model = getPeftModel(base, config);
    expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBeLessThan(1e-6);
    const session = createTrainingSession(model, { optimizer: "adamw" });
    const losses: number[] = [];
    for (let step = 0; step < 6; step++) {
      losses.push((await session.forwardBackward(inputsFor(base, io, true))).loss);
      await session.optimizerStep({ learningRate: 0.01 });
    }
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) - 0.01);
  });
});

test.each([
  ["rankDropout", new LoHaConfig({ ...target, initWeights: false, rankDropout: 0.5 })],
  ["moduleDropout", new LoKrConfig({ ...target, initWeights: false, moduleDropout: 0.5 })],
  [
    "rankDropout, made up for",
    new LoKrConfig({ ...target, initWeights: false, rankDropout: 0.5, rankDropoutScale: true }),
  ],
])("%s draws anew for each batch in training alone", async (_name, config) => {
  const base = await bert();
  const io = await batch();
  const model = getPeftModel(base, config);
  const [first, second] = [await model(inputsFor(base, io)), await model(inputsFor(base, io))];
  expect(relativeL2(first.logits, second.logits)).toBe(0);
  const session = createTrainingSession(model, { optimizer: "sgd" });
  const loss = async () => (await session.forwardBackward(inputsFor(base, io, true))).loss;
  const losses = [await loss(), await loss(), await loss()];
  expect(new Set(losses).size).toBe(3);
  expect(losses.every(Number.isFinite)).toBe(true);
});

test("VeRA's projections follow from the key alone", async () => {
  const elements = async (config: VeraConfig, seed: number) => {
    const model = getPeftModel(await bert(), config, { seed });
    const found = model.namedParameters().find(([name]) => name.startsWith("vera_A"));
    return found && (await readParameter(found[1])).data;
  };
  const one = await elements(new VeraConfig({ ...target, r: 4 }), 1);
  expect(await elements(new VeraConfig({ ...target, r: 4 }), 2)).toEqual(one);
  expect(await elements(new VeraConfig({ ...target, r: 4, projectionPrngKey: 1 }), 1)).not.toEqual(one);
});

describe("fine-tuning of the model itself", () => {
  const train = async (model: PeftModel) => {
    const io = await batch();
    const session = createTrainingSession(model, { optimizer: "adamw" });
    await session.forwardBackward(inputsFor(model.getBaseModel(), io, true));
    await session.optimizerStep({ learningRate: 0.01 });
    await session.sync();
    return async () => (await model(inputsFor(model.getBaseModel(), io))).logits;
  };

  test.each([
    ["all weights", new FullConfig({ taskType: "SEQ_CLS" })],
    ["the last layer", new FullTopConfig({ taskType: "SEQ_CLS", numLayers: 1 })],
  ])(
    "%s: what is saved is a model; a checkpoint's weights come back; switched off it is the base",
    async (_name, config) => {
      const base = await bert();
      const io = await batch();
      const before = await base(inputsFor(base, io));
      const model = getPeftModel(base, config);
      const logits = await train(model);
      const trained = await logits();
      expect(relativeL2(trained, before.logits)).toBeGreaterThan(1e-3);
      const disabled = await model.disableAdapter(() => model(inputsFor(base, io)));
      expect(relativeL2(disabled.logits, before.logits)).toBe(0);

      const folder = await temporary();
      await model.savePretrained(folder);
      const loaded = await loadClassifier(folder);
      onTestFinished(() => loaded.dispose());
      expect(relativeL2((await loaded(inputsFor(loaded, io))).logits, trained)).toBeLessThan(1e-6);

      const other = getPeftModel(await bert(), config);
      await other.loadTrained(folder);
      expect(relativeL2((await other(inputsFor(other.getBaseModel(), io))).logits, trained)).toBeLessThan(1e-6);

      const plain = await model.mergeAndUnload();
      expect(relativeL2((await plain(inputsFor(plain, io))).logits, trained)).toBeLessThan(1e-6);
    },
  );

  test("is not saved over the weights that it started from", async () => {
    const folder = await temporary();
    await (await bert()).savePretrained(folder);
    const base = await loadClassifier(folder);
    onTestFinished(() => base.dispose());
    const file = join(folder, "model.safetensors");
    const before = await readFile(file);
    const model = getPeftModel(base, new FullConfig());
    await expect(model.savePretrained(folder)).rejects.toThrow(/weights from before training lie in/);
    expect((await readFile(file)).equals(before)).toBe(true);
  });

  test("more layers than there are is refused, and the model stays as it was", async () => {
    const base = await bert();
    expect(() => getPeftModel(base, new FullTopConfig({ numLayers: 3 }))).toThrow(/numLayers is 3, the model has 2/);
    expect(base.network.guests.size).toBe(0);
  });
});
