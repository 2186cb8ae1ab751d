import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type ModelInputs, type PreTrainedModel, readParameter } from "#graft/models/index";
import { Parameter } from "#graft/nn/index";
import { getPeftModel, LoraConfig, type LoraConfigOptions, PeftModel } from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import type { TensorData } from "#graft/tensor-data";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";
import { refusal } from "./refusal.js";

const models: PreTrainedModel[] = [];
let io: ReadonlyMap<string, TensorData>;
let inputs: ModelInputs;

async function bert(): Promise<PreTrainedModel> {
  const model = await loadGoldenModel("bert_seqcls");
  models.push(model);
  return model;
}

const options: LoraConfigOptions = { r: 4, loraAlpha: 8, taskType: "SEQ_CLS", targetModules: ["query", "value"] };
const config = (changes: LoraConfigOptions = {}): LoraConfig => new LoraConfig({ ...options, ...changes });

async function logitsOf(model: PeftModel | PreTrainedModel): Promise<TensorData> {
  const { logits } = await model(inputs);
  return logits as TensorData;
}

const matrix = (model: PeftModel, letter: "A" | "B"): Parameter[] =>
  model.namedParameters().flatMap(([name, parameter]) => (name.includes(`.lora_${letter}.`) ? [parameter] : []));

async function elements(parameters: readonly Parameter[]): Promise<number[]> {
  return (await Promise.all(parameters.map(readParameter))).flatMap(({ data }) => [...data]);
}

beforeAll(async () => {
  const model = await bert();
  io = (await readGolden("models/bert_seqcls/io.safetensors")).tensors;
  inputs = inputsFor(model, io);
});
afterAll(() => Promise.all(models.map((model) => model.dispose())));

describe("a fresh adapter", () => {
  test("changes nothing: B is zero", async () => {
    const model = getPeftModel(await bert(), config());
    expect(relativeL2(await logitsOf(model), io.get("logits"))).toBeLessThan(1e-5);
    expect((await elements(matrix(model, "B"))).every((value) => value === 0)).toBe(true);
  });

  test("A is uniform in +-1/sqrt(inFeatures), by the seed alone", async () => {
    const make = async (seed: number) => elements(matrix(getPeftModel(await bert(), config(), { seed }), "A"));
    const [first, again, other] = [await make(1), await make(1), await make(2)];
    expect(first).toEqual(again);
    expect(first).not.toEqual(other);
    const bound = 1 / Math.sqrt(32);
    expect(Math.max(...first.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...first.map(Math.abs))).toBeGreaterThan(0.9 * bound);
  });

  test("gaussian: deviation 1/r; false: B is random too", async () => {
    const gaussian = getPeftModel(await bert(), config({ initLoraWeights: "gaussian" }));
    const drawn = await elements(matrix(gaussian, "A"));
    const deviation = Math.sqrt(drawn.reduce((sum, value) => sum + value ** 2, 0) / drawn.length);
    // 512 draws: the deviation is known to about 3 %.
    expect(deviation).toBeGreaterThan(0.25 * 0.85);
    expect(deviation).toBeLessThan(0.25 * 1.15);
    const random = getPeftModel(await bert(), config({ initLoraWeights: false }));
    expect((await elements(matrix(random, "B"))).every((value) => value !== 0)).toBe(true);
    expect(relativeL2(await logitsOf(random), io.get("logits"))).toBeGreaterThan(1e-3);
  });

  test("only the adapter and the head are trainable", async () => {
    const model = getPeftModel(await bert(), config());
    const trainable = model.namedParameters().filter(([, parameter]) => parameter.trainable);
    expect(trainable).toHaveLength(10);
    expect(trainable.every(([name]) => /lora_[AB]\.default\.weight$|^classifier\.default\./.test(name))).toBe(true);
  });
});

describe("the acting adapter", () => {
  const load = async () => PeftModel.fromPretrained(await bert(), goldenPath("peft/bert_no_task"));

  test("can be rescaled without a new program; 0 is the base model", async () => {
    const model = await load();
    const { rules } = model.prepareInputs(inputs);
    const full = await logitsOf(model);
    const { program } = await model.runner.evaluationProgram(rules);
    model.setScale(0);
    expect(relativeL2(await logitsOf(model), io.get("logits"))).toBeLessThan(1e-5);
    model.setScale(1);
    expect(relativeL2(await logitsOf(model), full)).toBe(0);
    await model.disableAdapter(() => logitsOf(model));
    expect((await model.runner.evaluationProgram(rules)).program).toBe(program);
  });

  test("gives way to one of another rank without a new program", async () => {
    const model = await load();
    const { rules } = model.prepareInputs(inputs);
    const first = await logitsOf(model);
    const { program } = await model.runner.evaluationProgram(rules);
    const other = {
      r: 7,
      loraDropout: 0.1,
      taskType: null,
      modulesToSave: null,
      initLoraWeights: false,
      inferenceMode: true,
    } as const;
    model.addAdapter("other", config(other), { seed: 3 });
    expect(model.activeAdapters).toEqual(["default"]);
    expect(relativeL2(await logitsOf(model), first)).toBe(0);
    await model.setAdapter("other");
    expect(model.activeAdapters).toEqual(["other"]);
    expect(relativeL2(await logitsOf(model), first)).toBeGreaterThan(1e-3);
    await model.setAdapter("default");
    expect(relativeL2(await logitsOf(model), first)).toBe(0);
    expect((await model.runner.evaluationProgram(rules)).program).toBe(program);
    await model.deleteAdapter("default");
    expect(model.activeAdapters).toEqual(["other"]);
    expect(Object.keys(model.peftConfig)).toEqual(["other"]);
  });

  test("can be unloaded: the plain model computes as before", async () => {
    const model = await load();
    const plain = await model.unload();
    expect(plain.namedParameters().some(([name]) => name.includes("lora"))).toBe(false);
    expect(relativeL2(await logitsOf(plain), io.get("logits"))).toBeLessThan(1e-5);
    expect(getPeftModel(plain, config()).targetedModuleNames).toHaveLength(4);
  });

  test("adapters with heads of their own: each head acts with its adapter", async () => {
    const model = await PeftModel.fromPretrained(await bert(), goldenPath("peft/bert_default"));
    await model.loadAdapter(goldenPath("peft/bert_exclude"), { adapterName: "other" });
    await model.setAdapter("other");
    const other = await readGolden("peft/bert_exclude/io.safetensors");
    expect(
      relativeL2((await model(inputsFor(model.getBaseModel(), other.tensors))).logits, other.tensors.get("logits")),
    ).toBeLessThan(1e-5);
    await model.setAdapter("default");
    const first = await readGolden("peft/bert_default/io.safetensors");
    expect(
      relativeL2((await model(inputsFor(model.getBaseModel(), first.tensors))).logits, first.tensors.get("logits")),
    ).toBeLessThan(1e-5);
  });
});

describe("calls that overlap changes of the adapter", () => {
  const load = async () => PeftModel.fromPretrained(await bert(), goldenPath("peft/bert_no_task"));

  test("two disableAdapter at once: the adapter acts again after both", async () => {
    const model = await load();
    const full = await logitsOf(model);
    let end = (): void => {};
    const long = model.disableAdapter(() => new Promise<void>((resolve) => (end = resolve)));
    const short = await model.disableAdapter(() => logitsOf(model));
    const between = await logitsOf(model);
    end();
    await long;
    expect(relativeL2(short, io.get("logits"))).toBeLessThan(1e-5);
    expect(between).toEqual(short);
    expect(await logitsOf(model)).toEqual(full);
  });

  test("every call has the scale of its moment", async () => {
    const model = await load();
    const scales = [0, 1, 2, 0, 1];
    const alone: TensorData[] = [];
    const atOnce: Promise<TensorData>[] = [];
    for (const scale of scales) {
      model.setScale(scale);
      atOnce.push(logitsOf(model));
    }
    const together = await Promise.all(atOnce);
    for (const scale of scales) {
      model.setScale(scale);
      alone.push(await logitsOf(model));
    }
    expect(together).toEqual(alone);
    expect(relativeL2(together[2], together[1])).toBeGreaterThan(1e-3);
  });

  test("a call within disableAdapter and calls beside it", async () => {
    const model = await PeftModel.fromPretrained(await bert(), goldenPath("peft/bert_default"));
    const full = await logitsOf(model);
    const base = await model.disableAdapter(() => logitsOf(model));
    const all = await Promise.all([
      logitsOf(model),
      model.disableAdapter(() => logitsOf(model)),
      logitsOf(model),
      logitsOf(model),
    ]);
    expect(all).toEqual([full, base, full, full]);
  });

  test("setAdapter beside calls: each call has the adapter of its moment, the last one asked for stays", async () => {
    const model = await PeftModel.fromPretrained(await bert(), goldenPath("peft/bert_default"));
    await model.loadAdapter(goldenPath("peft/bert_exclude"), { adapterName: "other" });
    const first = await logitsOf(model);
    await model.setAdapter("other");
    const other = await logitsOf(model);
    const results = [logitsOf(model), model.setAdapter("default").then(() => logitsOf(model)), logitsOf(model)];
    expect(await Promise.all(results)).toEqual([other, first, other]);
    await Promise.all([model.setAdapter("other"), model.setAdapter("default"), logitsOf(model)]);
    expect(model.activeAdapters).toEqual(["default"]);
    expect(await logitsOf(model)).toEqual(first);
  });

  test("a merge that another adapter overtakes puts nothing in place", async () => {
    const model = await load();
    model.addAdapter("other", config({ taskType: null, inferenceMode: true }));
    const merging = refusal(() => model.mergeAdapter());
    await model.setAdapter("other");
    expect((await merging).message).toContain("gave way to other");
    expect(model.namedParameters().every(([, parameter]) => parameter.adjustments.length === 0)).toBe(true);
  });
});

describe("training", () => {
  test("changes the adapter and the head, and nothing else; saving, disabling and merging see it", async () => {
    const base = await bert();
    const model = getPeftModel(base, config(), { seed: 5 });
    const frozen = base.namedParameters().filter(([, parameter]) => !parameter.trainable);
    const sources = frozen.map(([, parameter]) => parameter.source);
    const labelled = inputsFor(base, (await readGolden("models/bert_seqcls/io.safetensors")).tensors, true);
    const { feeds, rules } = model.prepareInputs(labelled);
    const program = await model.runner.trainingProgram(rules);
    const trained = model.namedParameters().filter(([, parameter]) => parameter.trainable);
    const optimizer = await (await model.runner.engine()).createOptimizer({
      optimizer: "adamw",
      parameters: trained.map(([name]) => ({ name, weightDecay: 0 })),
    });
    const losses: number[] = [];
    for (let step = 0; step < 20; step++) {
      losses.push((await program.accumulate(feeds, { masks: { seed: 0, step, microStep: 0 } })).loss);
      await optimizer.step({ learningRate: 5e-2 });
    }
    expect(losses.at(-1)).toBeLessThan(0.5 * (losses[0] as number));
    const after = await logitsOf(model);
    expect(relativeL2(after, io.get("logits"))).toBeGreaterThan(0.1);
    const disabled = await model.disableAdapter(() => logitsOf(model));
    expect(relativeL2(disabled, io.get("logits"))).toBeLessThan(1e-5);
    expect(relativeL2(await logitsOf(model), after)).toBe(0);
    await model.mergeAdapter();
    expect(relativeL2(await logitsOf(model), after)).toBeLessThan(1e-5);
    model.unmergeAdapter();
    expect(relativeL2(await logitsOf(model), after)).toBe(0);
    expect(frozen.map(([, parameter]) => parameter.source)).toEqual(sources);
    expect((await elements(matrix(model, "B"))).some((value) => value !== 0)).toBe(true);
  });
});

describe("what cannot be done is refused", () => {
  test("a second PeftModel on one model", async () => {
    const model = await bert();
    getPeftModel(model, config());
    expect((await refusal(() => getPeftModel(model, config()))).code).toBe("invalid-argument");
  });

  test("two adapters of one name, an unknown name, a name that is no folder's", async () => {
    const model = getPeftModel(await bert(), config());
    expect((await refusal(() => model.addAdapter("default", config()))).message).toContain("default");
    expect((await refusal(() => model.setAdapter("nobody"))).hint).toContain("default");
    expect((await refusal(() => model.addAdapter("../up", config()))).code).toBe("invalid-argument");
  });

  test("biases that two adapters would train", async () => {
    const model = getPeftModel(await bert(), config({ bias: "lora_only" }));
    expect((await refusal(() => model.addAdapter("other", config({ bias: "all" })))).code).toBe("unsupported");
    model.addAdapter("other", config());
    expect(Object.keys(model.peftConfig)).toEqual(["default", "other"]);
  });

  test("an adapter of another base: missing and left-over tensors are named", async () => {
    const base = await loadGoldenModel("roberta_seqcls");
    models.push(base);
    const error = await refusal(() => PeftModel.fromPretrained(base, goldenPath("peft/bert_default")));
    expect(error.code).toBe("adapter-mismatch");
    expect(error.message).toContain("roberta.encoder.layer.0.attention.self.query.lora_A.weight");
    expect(error.message).toContain("base_model.model.bert.encoder.layer.0.attention.self.query.lora_A.weight");
  });

  test("a safe merge of numbers that are not finite; nothing is merged", async () => {
    const model = getPeftModel(await bert(), config());
    const b = matrix(model, "B")[0] as Parameter;
    b.setData({ dtype: "float32", shape: b.shape, data: new Float32Array(b.elementCount).fill(Number.NaN) });
    const error = await refusal(() => model.mergeAdapter({ safeMerge: true }));
    expect(error.code).toBe("not-finite");
    expect(error.message).toContain("query.weight");
    expect(model.namedParameters().every(([, parameter]) => parameter.adjustments.length === 0)).toBe(true);
  });

  test("changes while adapters are disabled or merged", async () => {
    const model = getPeftModel(await bert(), config());
    const changes: (() => unknown)[] = [
      () => model.mergeAdapter(),
      () => model.setScale(2),
      () => model.addAdapter("other", config()),
    ];
    for (const change of changes) {
      const inside = await refusal(() => model.disableAdapter(async () => change()));
      expect(inside.code).toBe("invalid-argument");
      expect(inside.message).toContain("disabled");
    }
    expect((await refusal(() => model.setScale(Number.NaN))).message).toContain("NaN");
    await model.mergeAdapter();
    expect((await refusal(() => model.setScale(2))).message).toContain("merged");
    const { rules } = model.prepareInputs(inputsFor(model.getBaseModel(), io, true));
    const training = await refusal(() => model.runner.trainingProgram(rules));
    expect(training.message).toContain("query.weight, so it cannot be trained");
    model.unmergeAdapter();
    await model.runner.trainingProgram(rules);
  });

  test("an adapter that cannot be added leaves the model as it was", async () => {
    const base = await loadGoldenModel("roberta_seqcls");
    models.push(base);
    const trainable = () => base.namedParameters().filter(([, parameter]) => parameter.trainable).length;
    const modules = [...base.network.modules()];
    const all = trainable();
    expect((await refusal(() => getPeftModel(base, config(), { seed: 1.5 }))).message).toContain("1.5");
    expect([...base.network.modules()]).toEqual(modules);
    expect(trainable()).toBe(all);

    const model = getPeftModel(base, config({ targetModules: ["query"], bias: "all" }));
    const second = config({ targetModules: ["key"], bias: "all" });
    expect((await refusal(() => model.addAdapter("second", second))).message).toContain("bias");
    expect(model.network.find("roberta.encoder.layer.0.attention.self.key")?.constructor.name).toBe("Linear");

    await model.deleteAdapter("default");
    expect(trainable()).toBe(all);
    model.addAdapter("second", second);
    expect(model.activeAdapters).toEqual(["second"]);
  });

  test("an adapter that saves a part of what another one saves", async () => {
    const base = await loadGoldenModel("roberta_seqcls");
    models.push(base);
    const model = getPeftModel(base, config({ targetModules: ["query"] }));
    model.addAdapter("part", config({ taskType: null, targetModules: ["key"], modulesToSave: ["out_proj"] }));
    await model.setAdapter("part");
    expect(model.namedParameters().filter(([, { trainable }]) => trainable)).toHaveLength(6);
    expect((await refusal(() => model.setAdapter(["default", "part"]))).message).toContain("classifier.out_proj");
    expect(model.activeAdapters).toEqual(["part"]);
  });

  test("saving the base model while an adapter is in it", async () => {
    const model = getPeftModel(await bert(), config());
    const error = await refusal(() => model.getBaseModel().savePretrained("/nowhere"));
    expect(error.code).toBe("invalid-argument");
    expect(error.message).toContain("lora_A");
  });

  test("saving a model without weights", async () => {
    const model = getPeftModel(await loadGoldenModel("bert_seqcls", { withWeights: false }), config());
    expect((await refusal(() => model.savePretrained("/nowhere"))).code).toBe("missing-tensor");
  });
});

describe("a folder that is read", () => {
  /** A copy of a golden adapter that the test changes. */
  async function copyOf(name: string, change: Record<string, unknown> = {}): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "graft-peft-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await cp(goldenPath(`peft/${name}`), folder, { recursive: true });
    const path = join(folder, "adapter_config.json");
    const old = JSON.parse(await readFile(path, "utf8"));
    await writeFile(path, JSON.stringify({ ...old, ...change }));
    return folder;
  }

  test("a rank that its tensors do not have is refused before anything of that size is made", async () => {
    const base = await bert();
    const absurd = await copyOf("bert_default", { r: 1e12 });
    expect((await refusal(() => PeftModel.fromPretrained(base, absurd))).code).toBe("invalid-config");
    const large = await copyOf("bert_default", { r: 65536 });
    const drawn = vi.spyOn(Parameter.prototype, "initialize");
    onTestFinished(() => drawn.mockRestore());
    const error = await refusal(() => PeftModel.fromPretrained(base, large));
    expect(error.message).toContain("query.lora_A.weight is [4,32] in the file, [65536,32] in the model");
    expect(drawn).not.toHaveBeenCalled();
  });

  test("modules to save that the model lacks are left out with a remark", async () => {
    const folder = await copyOf("bert_no_task", { modules_to_save: ["classifierr"] });
    const warnings: string[] = [];
    const model = await PeftModel.fromPretrained(await bert(), folder, { onWarning: (line) => warnings.push(line) });
    expect(warnings).toEqual([
      `${folder}: modules_to_save names classifierr, which this model does not have: left out`,
    ]);
    const golden = await readGolden("peft/bert_no_task/io.safetensors");
    const { logits } = await model(inputsFor(model.getBaseModel(), golden.tensors));
    expect(relativeL2(logits, golden.tensors.get("logits"))).toBeLessThan(1e-5);
  });

  test("two spellings of one tensor are both named", async () => {
    const folder = await copyOf("vit_default");
    const path = join(folder, "adapter_model.safetensors");
    const tensors = await readAllTensors(await openSafetensors(path));
    const v5 = [...tensors.keys()].find((key) => key.includes("layers.0.attention.q_proj.lora_A")) as string;
    const v4 = v5.replace("layers.0.attention.q_proj", "encoder.layer.0.attention.attention.query");
    await writeSafetensors(path, new Map([...tensors, [v4, tensors.get(v5) as TensorData]]));
    const base = await loadGoldenModel("vit_imgcls");
    models.push(base);
    const { code, message } = await refusal(() => PeftModel.fromPretrained(base, folder));
    expect(code).toBe("adapter-mismatch");
    expect(message).toContain(v4);
    expect(message).toContain(v5);
  });
});

test("without adapters there is nothing to save or to load", async () => {
  const model = getPeftModel(await bert(), config());
  await model.mergeAndUnload();
  for (const attempt of [() => model.savePretrained("/nowhere"), () => model.loadTrained("/nowhere")]) {
    const { code, hint } = await refusal(attempt);
    expect(code).toBe("invalid-argument");
    expect(hint).toContain("mergeAndUnload");
  }
});

test("a deleted adapter gives back the biases that it trained", async () => {
  const base = await bert();
  const biases = () => base.namedParameters().filter(([name]) => name.endsWith("bias"));
  const before = biases().map(([, { source, trainable }]) => ({ source, trainable }));
  const model = await PeftModel.fromPretrained(base, goldenPath("peft/bert_bias_all"));
  expect(relativeL2(await logitsOf(model), io.get("logits"))).toBeGreaterThan(1e-3);
  await model.deleteAdapter("default");
  expect(biases().map(([, { source, trainable }]) => ({ source, trainable }))).toEqual(before);
  expect(relativeL2(await logitsOf(base), io.get("logits"))).toBeLessThan(1e-5);
});

test("fanInFanOut is switched off with a remark, as PEFT does for linear layers", async () => {
  const remarks: string[] = [];
  const model = getPeftModel(await bert(), config({ fanInFanOut: true }), { onWarning: (text) => remarks.push(text) });
  expect(remarks[0]).toContain("fanInFanOut");
  expect(model.peftConfig.default?.fields.fanInFanOut).toBe(false);
});
