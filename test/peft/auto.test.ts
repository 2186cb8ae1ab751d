import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  AutoPeftModel,
  AutoPeftModelForImageClassification,
  AutoPeftModelForSequenceClassification,
  AutoPeftModelForTokenClassification,
  getPeftModel,
  getPeftModelStateDict,
  LoraConfig,
  PeftConfig,
  PrefixTuningConfig,
  PromptEncoderConfig,
  setPeftModelStateDict,
} from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { inputsOf, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "graft-auto-"));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

const silent = { onWarning: () => {} };

describe("an adapter with the base that it names", () => {
  test.each([
    ["bert_default", AutoPeftModelForSequenceClassification],
    ["bert_no_task", AutoPeftModelForSequenceClassification],
    ["vit_default", AutoPeftModelForImageClassification],
    ["vit_default", AutoPeftModel],
    ["roberta_default", AutoPeftModel],
  ] as const)("%s predicts as PEFT does", async (name, auto) => {
    const { tensors } = await readGolden(`peft/${name}/io.safetensors`);
    const warnings: string[] = [];
    const model = await auto.fromPretrained(goldenPath(`peft/${name}`), {
      threads: 1,
      onWarning: (text) => warnings.push(text),
    });
    const inputs = inputsOf(tensors);
    const taken = Object.fromEntries(Object.entries(inputs).filter(([key]) => key in model.network.inputs));
    const { logits } = await model(taken);
    expect(relativeL2(logits, tensors.get("logits"))).toBeLessThan(1e-5);
    expect(warnings.filter((text) => /initiali/i.test(text))).toEqual([]);
    await model.dispose();
  });

  test("the head has the size that the adapter brings", async () => {
    const base = await AutoModelForSequenceClassification.fromPretrained(goldenPath("models/bert_base"), {
      numLabels: 5,
      onReport: () => {},
    });
    const folder = await mkdtemp(join(scratch, "five-"));
    await getPeftModel(base, new LoraConfig({ r: 2, taskType: "SEQ_CLS" })).savePretrained(folder);
    await base.dispose();
    const model = await AutoPeftModelForSequenceClassification.fromPretrained(folder, { threads: 1, ...silent });
    expect(model.config.numLabels).toBe(5);
    const named = await AutoPeftModelForSequenceClassification.fromPretrained(folder, {
      id2label: ["a", "b", "c", "d", "e"],
      ...silent,
    });
    expect(named.config.id2label[4]).toBe("e");
    await expect(
      AutoPeftModelForSequenceClassification.fromPretrained(folder, { numLabels: 3, ...silent }),
    ).rejects.toMatchObject({ code: "adapter-mismatch" });
  });

  test("one for another kind of model is refused, with the class that loads it", async () => {
    const refused = AutoPeftModelForTokenClassification.fromPretrained(goldenPath("peft/bert_default"));
    await expect(refused).rejects.toMatchObject({
      code: "invalid-config",
      message: expect.stringContaining("was made for AutoModelForSequenceClassification"),
      hint: expect.stringContaining("AutoPeftModelForSequenceClassification"),
    });
    const folder = await mkdtemp(join(scratch, "questions-"));
    await writeFile(join(folder, "adapter_config.json"), '{"peft_type": "LORA", "task_type": "QUESTION_ANS"}');
    await expect(AutoPeftModel.fromPretrained(folder)).rejects.toMatchObject({
      code: "invalid-config",
      message: expect.stringContaining("is for the task QUESTION_ANS"),
    });
  });
});

test("PeftConfig.fromPretrained gives the config of the adapter's method", async () => {
  const config = await PeftConfig.fromPretrained(goldenPath("peft/bert_default"));
  expect(config).toBeInstanceOf(LoraConfig);
  expect(config.baseModelNameOrPath).toBe("test/golden/models/bert_seqcls");
});

describe("the state dict of an adapter", () => {
  test.each(["bert_default", "vit_default", "vit_bias_all"])("%s: keys and bits of PEFT's file", async (name) => {
    const model = await AutoPeftModel.fromPretrained(goldenPath(`peft/${name}`), silent);
    const file = await openSafetensors(goldenPath(`peft/${name}/adapter_model.safetensors`));
    const stateDict = await getPeftModelStateDict(model);
    for (const [key, { data }] of await readAllTensors(file)) {
      if (stateDict[key]) expect(stateDict[key].data, key).toEqual(data);
      else expect(key).toMatch(/modules_to_save|original_module/);
    }
    expect(Object.keys(stateDict).filter((key) => !file.entries.has(key))).toEqual([]);
  });

  test("one adapter takes another's tensors, or none of them", async () => {
    const model = await AutoPeftModel.fromPretrained(goldenPath("peft/bert_default"), silent);
    const before = await getPeftModelStateDict(model);
    const changed = Object.fromEntries(
      Object.entries(before).map(([key, tensor]) => [key, { ...tensor, data: tensor.data.map((value) => value + 1) }]),
    );
    const { logits } = await AutoPeftModel.fromPretrained(goldenPath("peft/bert_default"), silent).then(
      async (other) => {
        await setPeftModelStateDict(other, changed);
        expect(await getPeftModelStateDict(other)).toEqual(changed);
        const outputs = await other({ inputIds: [[1, 2, 3]] });
        await other.dispose();
        return outputs;
      },
    );
    expect(logits?.data).not.toEqual((await model({ inputIds: [[1, 2, 3]] })).logits?.data);
    const [first] = Object.keys(changed) as [string];
    const { [first]: _, ...short } = changed;
    await expect(setPeftModelStateDict(model, short)).rejects.toMatchObject({
      code: "adapter-mismatch",
      message: expect.stringMatching(/^the state dict does not fit this model; tensors missing/),
    });
    expect(await getPeftModelStateDict(model)).toEqual(before);
    await expect(getPeftModelStateDict(model, { adapterName: "none" })).rejects.toThrow(/no adapter "none"/);
    await model.dispose();
  });
});

test.each([
  ["P_TUNING", new PromptEncoderConfig({ taskType: "SEQ_CLS", numVirtualTokens: 3 })],
  ["PREFIX_TUNING", new PrefixTuningConfig({ taskType: "SEQ_CLS", numVirtualTokens: 3, prefixProjection: true })],
])(
  "%s, whose file holds a product of what is trained, takes no state dict and stays as it is",
  async (type, config) => {
    const base = await loadGoldenModel("bert_seqcls");
    const model = getPeftModel(base, config);
    const before = await getPeftModelStateDict(model);
    const zeros = Object.entries(before).map(([key, tensor]) => [key, { ...tensor, data: tensor.data.map(() => 0) }]);
    await expect(setPeftModelStateDict(model, Object.fromEntries(zeros))).rejects.toMatchObject({
      code: "unsupported",
      message: `a state dict of ${type} holds what was made of the trained tensors, not these: it cannot replace them`,
      hint: expect.stringContaining("loadAdapter"),
    });
    expect(await getPeftModelStateDict(model)).toEqual(before);
    expect(Object.keys(before)).toContain("prompt_embeddings");
    await base.dispose();
  },
);

test("a prompt that is trained itself takes one", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  const model = getPeftModel(base, new PrefixTuningConfig({ taskType: "SEQ_CLS", numVirtualTokens: 3 }));
  const before = await getPeftModelStateDict(model);
  const moved = Object.fromEntries(
    Object.entries(before).map(([key, tensor]) => [key, { ...tensor, data: tensor.data.map((value) => value + 1) }]),
  );
  await setPeftModelStateDict(model, moved);
  expect(await getPeftModelStateDict(model)).toEqual(moved);
  await base.dispose();
});

test("a config is read as it is, and stays so", async () => {
  const path = goldenPath("peft/bert_default/adapter_config.json");
  const folder = await mkdtemp(join(scratch, "bom-"));
  await writeFile(join(folder, "adapter_config.json"), `\ufeff${await readFile(path, "utf8")}`);
  expect((await PeftConfig.fromPretrained(folder)).toJson()).toEqual(
    (await PeftConfig.fromPretrained(goldenPath("peft/bert_default"))).toJson(),
  );
});
