import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { readParameter } from "#graft/models/index";
import { AdaLoraConfig, getPeftModel, LNTuningConfig, PeftModel } from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";
import { createTrainingSession, Trainer, TrainingArguments, type TrainingSession } from "#graft/training/index";
import { copyOf } from "../models/folder.js";
import { collateTiny, type TinyRow, tinyTextDataset } from "../training/tiny.js";
import { namesIn, plainName } from "./method-goldens.js";
import { inputsFor, loadClassifier, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

const withoutDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, classifier_dropout: null };

interface Meta {
  readonly base: string;
  readonly rankPatterns: readonly (Readonly<Record<string, boolean[]>> | null)[];
  readonly stepsDifferenceFromFloat64: number;
}

const temporary = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), "graft-adalora-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
};

const readJson = async (path: string) => JSON.parse(await readFile(path, "utf8"));

async function load(name: string, folder = `adalora/${name}`): Promise<PeftModel> {
  const { base: baseName } = await readJson(goldenPath(`adalora/${name}/meta.json`));
  const base = await loadClassifier(await copyOf(baseName, withoutDropout));
  onTestFinished(() => base.dispose());
  return PeftModel.fromPretrained(base, goldenPath(folder), { isTrainable: true });
}

/** As the goldens train: decay on every trained tensor, whatever its name. */
function sessionOf(model: PeftModel): TrainingSession {
  const everyOne = () => [{ parameters: model.namedParameters().map(([, parameter]) => parameter), isDecayed: true }];
  const decayed = Object.assign(Object.create(model), { trainedGroups: everyOne });
  return createTrainingSession(decayed, { optimizer: "adamw", weightDecay: 0.01 });
}

async function train(model: PeftModel, session: TrainingSession, io: ReadonlyMap<string, TensorData>, steps: number) {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push((await session.forwardBackward(inputsFor(model.getBaseModel(), io, true))).loss);
    await session.optimizerStep({ learningRate: 0.01 });
  }
  return losses;
}

async function elements(model: PeftModel): Promise<Map<string, TensorData>> {
  await model.runner.syncFromEngine();
  const read = model.namedParameters().map(async ([name, one]) => [plainName(name), await readParameter(one)] as const);
  return new Map(await Promise.all(read));
}

describe.each(namesIn("adalora"))("AdaLoRA's training: %s", (name) => {
  test("is PEFT's after every step: losses, averages, scores' choice, masked values; so are its files", async () => {
    const meta: Meta = await readJson(goldenPath(`adalora/${name}/meta.json`));
    const tolerance = Math.max(1e-5, 5 * meta.stepsDifferenceFromFloat64);
    const { tensors: io } = await readGolden(`adalora/${name}/io.safetensors`);
    const { tensors: steps } = await readGolden(`adalora/${name}/steps.safetensors`);
    const model = await load(name);
    const spell = (key: string) => plainName(model.network.names.toV4(plainName(key)));
    const close = (found: TensorData | undefined, key: string) => {
      expect(relativeL2(found, steps.get(key)), key).toBeLessThan(tolerance);
    };
    const session = sessionOf(model);
    const [method] = model.afterSteps();
    const { initR } = model.peftConfig.default as AdaLoraConfig;
    let compared = 0;
    for (const [step, wanted] of meta.rankPatterns.entries()) {
      const [loss] = await train(model, session, io, 1);
      expect(Math.abs((loss as number) / Number(steps.get("losses")?.data[step]) - 1), `loss ${step}`).toBeLessThan(
        tolerance,
      );
      const now = await elements(model);
      const of = (prefix: string) => [...steps.keys()].filter((key) => key.startsWith(prefix));
      expect(of(`${step}.E.`).length).toBeGreaterThan(0);
      for (const key of of(`${step}.E.`)) close(now.get(`${spell(key.replace(`${step}.E.`, ""))}.lora_E`), key);
      const state = new Map(method?.state.map((one) => [plainName(one.name), one]));
      for (const [kind, own] of [
        ["exp_avg_ipt", "importance"],
        ["exp_avg_unc", "uncertainty"],
      ]) {
        for (const key of of(`${step}.${kind}.`)) {
          const parameter = state.get(`${spell(key.replace(`${step}.${kind}.`, ""))}.${own}`);
          close(parameter && (await readParameter(parameter)), key);
        }
      }
      for (const [index, path] of model.targetedModuleNames.entries()) {
        const [key] = of(`${step}.score.`).filter((one) => spell(one.replace(`${step}.score.`, "")) === path);
        if (key === undefined) continue;
        const scores = state.get("rank_scores");
        const all = scores && ((await readParameter(scores)) as TensorData<"float32">).data;
        const own = all?.slice(index * initR, (index + 1) * initR);
        close(own && { dtype: "float32", shape: [initR], data: own }, key);
        compared++;
      }
      const masks = wanted && Object.entries(wanted).map(([path, mask]) => [spell(path), mask.map(Number)] as const);
      for (const [path, mask] of masks ?? []) {
        const parameter = state.get(`${path}.rank_mask`);
        expect(parameter && Array.from((await readParameter(parameter)).data), `${step} ${path}`).toEqual(mask);
      }
    }
    expect(compared).toBe([...steps.keys()].filter((key) => key.includes(".score.")).length);
    const after = await elements(model);
    for (const key of [...steps.keys()].filter((one) => one.startsWith("after."))) {
      close(after.get(spell(key.replace("after.", ""))), key);
    }
    const { logits } = await model(inputsFor(model.getBaseModel(), io));
    expect(relativeL2(logits, io.get("after_logits"))).toBeLessThan(tolerance);

    const folder = await temporary();
    await model.savePretrained(folder);
    const pruned = goldenPath(`adalora/${name}/pruned`);
    expect(await readJson(join(folder, "adapter_config.json"))).toEqual(
      await readJson(join(pruned, "adapter_config.json")),
    );
    const read = async (path: string) => readAllTensors(await openSafetensors(join(path, "adapter_model.safetensors")));
    const [found, wanted] = [await read(folder), await read(pruned)];
    expect([...found].map(([key, { shape }]) => [key, shape])).toEqual(
      [...wanted].map(([key, { shape }]) => [key, shape]),
    );
    for (const [key, tensor] of wanted) {
      if (tensor.data.length > 0) expect(relativeL2(found.get(key), tensor), key).toBeLessThan(tolerance);
    }
  });

  test("PEFT's pruned file gives PEFT's logits, merges, and is written back to the byte", async () => {
    const { tensors: io } = await readGolden(`adalora/${name}/io.safetensors`);
    const model = await load(name, `adalora/${name}/pruned`);
    const logits = async () => (await model(inputsFor(model.getBaseModel(), io))).logits;
    expect(relativeL2(await logits(), io.get("pruned_logits"))).toBeLessThan(1e-5);
    const folder = await temporary();
    await model.savePretrained(folder);
    const file = (path: string) => readFile(join(path, "adapter_model.safetensors"));
    expect((await file(folder)).equals(await file(goldenPath(`adalora/${name}/pruned`)))).toBe(true);
    const { rank_pattern: pattern } = await readJson(join(folder, "adapter_config.json"));
    expect(pattern).toEqual((await readJson(goldenPath(`adalora/${name}/pruned/adapter_config.json`))).rank_pattern);
    expect(model.afterSteps()).toEqual([]);
    await model.mergeAdapter();
    expect(relativeL2(await logits(), io.get("pruned_logits"))).toBeLessThan(1e-5);
  });

  test("goes on from a checkpoint as if it had not been interrupted", async () => {
    const { tensors: io } = await readGolden(`adalora/${name}/io.safetensors`);
    const whole = await load(name);
    await train(whole, sessionOf(whole), io, 8);

    const first = await load(name);
    const session = sessionOf(first);
    await train(first, session, io, 5);
    const checkpoint = await temporary();
    await first.saveTrained(checkpoint);
    const optimizer = await session.state();

    const second = await load(name);
    await second.loadTrained(checkpoint);
    const resumed = sessionOf(second);
    await resumed.loadState(optimizer as NonNullable<typeof optimizer>);
    await train(second, resumed, io, 3);
    expect(await elements(second)).toEqual(await elements(whole));
  });
});

test("a schedule that leaves no update in which ranks fall is refused, and so is none, but for prediction", () => {
  expect(new AdaLoraConfig({ inferenceMode: true }).totalStep).toBe(null);
  expect(() => new AdaLoraConfig({})).toThrow(/totalStep is not given/);
  expect(() => new AdaLoraConfig({ totalStep: 10, tinit: 5, tfinal: 5 })).toThrow(/leave none in which ranks fall/);
});

test("a fresh adapter changes nothing, and its loss holds the regularisation only where it is trained", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const { tensors: io } = await readGolden("adalora/bert_adalora_steps/io.safetensors");
  const plain = await base(inputsFor(base, io, true));
  const model = getPeftModel(base, new AdaLoraConfig({ taskType: "SEQ_CLS", totalStep: 10, initR: 4 }));
  const adapted = await model(inputsFor(base, io, true));
  expect(relativeL2(adapted.logits, plain.logits)).toBeLessThan(1e-6);
  expect(adapted.loss as number).toBeGreaterThan((plain.loss as number) + 0.1);
  const folder = await temporary();
  await model.savePretrained(folder);
  await model.unload();
  const loaded = await PeftModel.fromPretrained(base, folder);
  expect((await loaded(inputsFor(base, io, true))).loss).toBeCloseTo(plain.loss as number, 5);
});

test("where PEFT leaves the regularisation out, the user is told", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const remarks: string[] = [];
  const onWarning = (remark: string) => remarks.push(remark);
  const model = getPeftModel(base, new AdaLoraConfig({ totalStep: 10 }), { onWarning });
  expect(remarks).toEqual([expect.stringMatching(/regularisation is left out/)]);
  await model.unload();
  getPeftModel(base, new AdaLoraConfig({ totalStep: 10, taskType: "SEQ_CLS" }), { onWarning });
  expect(remarks.length).toBe(1);
});

test("Trainer allocates ranks, and a resumed run ends with the same files to the byte", async () => {
  const run = async (resumeFromCheckpoint: string | false) => {
    const base = await loadClassifier(await copyOf("bert_seqcls", { hidden_dropout_prob: 0.1 }));
    onTestFinished(() => base.dispose());
    const config = new AdaLoraConfig({ taskType: "SEQ_CLS", totalStep: 6, tinit: 1, tfinal: 1, initR: 4, targetR: 1 });
    const outputDir = await temporary();
    const options = { maxSteps: 6, saveStrategy: "steps", saveSteps: 1, learningRate: 0.01 } as const;
    const trainer = new Trainer<TinyRow>({
      model: getPeftModel(base, config),
      args: new TrainingArguments({ outputDir, perDeviceTrainBatchSize: 4, weightDecay: 0.01, ...options }),
      trainDataset: tinyTextDataset(20),
      dataCollator: collateTiny,
    });
    await trainer.train({ resumeFromCheckpoint });
    return outputDir;
  };
  const whole = await run(false);
  const resumed = await run(join(whole, "checkpoint-3"));
  for (const name of ["adapter_model.safetensors", "trained.safetensors", "adapter_config.json"]) {
    const file = (folder: string) => readFile(join(folder, "checkpoint-6", name));
    const ownName = async (folder: string) =>
      (await file(folder)).toString("latin1").replaceAll(/graft-models-\w+/g, "");
    expect(await ownName(resumed), name).toBe(await ownName(whole));
  }
  const { rank_pattern: pattern } = await readJson(join(whole, "checkpoint-6", "adapter_config.json"));
  expect(Object.values<boolean[]>(pattern).flat().filter(Boolean).length).toBe(4);
  expect((await readJson(join(whole, "checkpoint-1", "adapter_config.json"))).rank_pattern).toBe(null);
});

test("trains beside another adapter, and alone again, with the same graph", async () => {
  const { tensors: io } = await readGolden("adalora/bert_adalora_steps/io.safetensors");
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const target = { targetModules: ["key"] };
  const model = getPeftModel(base, new LNTuningConfig({ targetModules: ["LayerNorm"] }), { adapterName: "norms" });
  model.addAdapter("ranks", new AdaLoraConfig({ ...target, totalStep: 9, tfinal: 1, initR: 3, targetR: 1 }), {
    onWarning: () => {},
  });
  const masks = async () => {
    const session = createTrainingSession(model, { optimizer: "adamw" });
    await train(model, session, io, 9);
    const [method] = model.afterSteps();
    await session.dispose();
    return method?.state.filter(({ name }) => name.includes("rank_mask")).map(({ source }) => source);
  };
  await model.setAdapter(["norms", "ranks"]);
  const together = await masks();
  await model.setAdapter("ranks");
  const alone = await masks();
  for (const sources of [together, alone]) {
    const left = sources?.flatMap((one) => (one.kind === "memory" ? Array.from(one.data.data, Number) : []));
    expect(left?.reduce((sum, one) => sum + one, 0)).toBe(2);
  }
});
