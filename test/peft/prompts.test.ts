import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Tokenizer } from "#graft/data/tokenizing/tokenizer";
import { readParameter } from "#graft/models/index";
import {
  getPeftModel,
  PeftModel,
  PreEmbedConfig,
  PrefixTuningConfig,
  PreLayerConfig,
  PromptEncoderConfig,
  PromptTuningConfig,
} from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { createTrainingSession } from "#graft/training/index";
import { metaOf } from "./method-goldens.js";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

async function modelOf(name: string) {
  const base = await loadGoldenModel(name);
  onTestFinished(() => base.dispose());
  return base;
}

async function promptOf(model: PeftModel) {
  const [, parameter] = model.namedParameters().find(([name]) => name === "prompt_embeddings.default") ?? [];
  return parameter && readParameter(parameter);
}

test.each(["bert_prompt_text", "roberta_prompt_text"])("%s: a text's vectors begin as PEFT's do", async (name) => {
  const { tensors: saved } = await readGolden(`methods/${name}/adapter_model.safetensors`);
  const wanted = saved.get("prompt_embeddings");
  const base = await modelOf(metaOf(`methods/${name}`).base);
  const text = "w9 w12 w40 w7";
  const tokenizer = await Tokenizer.fromFolder(goldenPath("data/tiny-words"));
  const config = new PromptTuningConfig({
    numVirtualTokens: wanted?.shape[0] as number,
    promptTuningInit: "TEXT",
    promptTuningInitText: text,
    tokenizerNameOrPath: "test/golden/data/tiny-words",
  });
  const initTokenIds = tokenizer.encode(text).inputIds;
  expect(await promptOf(getPeftModel(base, config, { initTokenIds }))).toEqual(wanted);
});

test("a sampled prompt holds vectors of the vocabulary, others for another seed", async () => {
  const base = await modelOf("bert_seqcls");
  const words = base.namedParameters().find(([name]) => name.endsWith("word_embeddings.weight"))?.[1];
  const table = (words && (await readParameter(words)))?.data ?? new Float32Array();
  const config = new PromptTuningConfig({ numVirtualTokens: 6, promptTuningInit: "SAMPLE_VOCAB" });
  const idsFor = async (seed: number) => {
    const model = getPeftModel(base, config, { seed });
    const prompt = await promptOf(model);
    await model.unload();
    return Array.from({ length: 6 }, (_, row) => {
      const vector = prompt?.data.slice(32 * row, 32 * (row + 1)).join();
      return Array.from({ length: table.length / 32 }, (_, id) => id).find(
        (id) => table.slice(32 * id, 32 * (id + 1)).join() === vector,
      );
    });
  };
  const first = await idsFor(1);
  expect(first.every((id) => id !== undefined)).toBe(true);
  expect(await idsFor(1)).toEqual(first);
  expect(await idsFor(2)).not.toEqual(first);
});

test("a text that nobody has cut, ids that are no tokens, and a text without a tokenizer are refused", async () => {
  const base = await modelOf("bert_seqcls");
  const text = { promptTuningInit: "TEXT", promptTuningInitText: "good or bad" } as const;
  const config = new PromptTuningConfig({ numVirtualTokens: 4, ...text, tokenizerNameOrPath: "base" });
  expect(() => getPeftModel(base, config)).toThrow(/initTokenIds is \[\]/);
  expect(() => getPeftModel(base, config, { initTokenIds: [5, 1000] })).toThrow(/\[5,1000\]/);
  expect(() => new PromptTuningConfig(text)).toThrow(/tokenizerNameOrPath is null/);
  expect(base.network.guests.size).toBe(0);
});

test.each([
  ["bert_prefix_projected", "PREFIX_TUNING"],
  ["bert_p_tuning", "P_TUNING"],
])("%s without its encoder predicts and cannot be trained", async (name, type) => {
  const folder = await mkdtemp(join(tmpdir(), "graft-prompts-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(goldenPath(`methods/${name}`), folder, { recursive: true });
  await rm(join(folder, "trained.safetensors"));
  const base = await modelOf("bert_seqcls");
  await expect(PeftModel.fromPretrained(base, folder, { isTrainable: true })).rejects.toThrow(
    new RegExp(`\\(${type}\\).*cannot be trained`),
  );
  expect(base.network.guests.size).toBe(0);
  const { tensors: io } = await readGolden(`methods/${name}/io.safetensors`);
  const model = await PeftModel.fromPretrained(base, folder);
  expect(relativeL2((await model(inputsFor(base, io))).logits, io.get("logits"))).toBeLessThan(1e-5);
});

test("a fresh encoder's folder predicts what the model did", async () => {
  const folder = await mkdtemp(join(tmpdir(), "graft-prompts-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { tensors: io } = await readGolden("methods/bert_prefix/io.safetensors");
  const base = await modelOf("bert_seqcls");
  const config = new PrefixTuningConfig({ numVirtualTokens: 3, prefixProjection: true, taskType: "SEQ_CLS" });
  const model = getPeftModel(base, config);
  const before = (await model(inputsFor(base, io))).logits;
  await model.savePretrained(folder);
  const other = await modelOf("bert_seqcls");
  const loaded = await PeftModel.fromPretrained(other, folder);
  expect(relativeL2((await loaded(inputsFor(other, io))).logits, before)).toBeLessThan(1e-6);
});

test("a prefix begins at zero where that is asked; LSTM, and texts' methods for images, are refused by name", async () => {
  const text = await modelOf("bert_seqcls");
  const zero = getPeftModel(text, new PrefixTuningConfig({ numVirtualTokens: 3, initWeights: "zero" }));
  expect((await promptOf(zero))?.data.every((value) => value === 0)).toBe(true);
  await zero.unload();
  const lstm = { peft_type: "P_TUNING", num_virtual_tokens: 4, encoder_reparameterization_type: "LSTM" };
  expect(() => PromptEncoderConfig.fromJson(lstm, "config", () => {})).toThrow(/LSTM/);
  const images = await modelOf("vit_imgcls");
  for (const Config of [PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig]) {
    expect(() => getPeftModel(images, new Config({ numVirtualTokens: 3 }))).toThrow(/vit reads none/);
  }
  for (const Config of [PreEmbedConfig, PreLayerConfig]) {
    expect(() => getPeftModel(images, new Config({ numInfixTokens: 2 }))).toThrow(/numInfixTokens is 2/);
    expect(() => getPeftModel(images, new Config({ numPrefixTokens: 0 }))).toThrow(/both 0/);
  }
  expect(images.network.guests.size).toBe(0);
});

test("a token classifier has logits for its own tokens alone, under prompts, infixes without a mask, and both", async () => {
  const { tensors: io } = await readGolden("methods/bert_tokencls_preembed_prefix/io.safetensors");
  const file = goldenPath("methods/bert_tokencls_preembed_prefix/adapter_model.safetensors");
  const saved = await readAllTensors(await openSafetensors(file));
  const base = await modelOf("bert_tokencls");
  const prompt = getPeftModel(base, new PromptTuningConfig({ numVirtualTokens: 3, taskType: "TOKEN_CLS" }));
  for (const [name, parameter] of prompt.namedParameters()) {
    const key = name.startsWith("prompt") ? "bert.embeddings.prefix" : name.replace(".default", "");
    const data = saved.get(`base_model.model.${key}`);
    if (data) parameter.setData({ ...data, dtype: "float32", data: data.data as Float32Array });
  }
  const found = await prompt(inputsFor(base, io, true));
  expect(relativeL2(found.logits, io.get("logits"))).toBeLessThan(1e-5);
  expect(Math.abs((found.loss as number) - Number(io.get("loss")?.data[0]))).toBeLessThan(1e-5);

  prompt.addAdapter("infix", new PreEmbedConfig({ numPrefixTokens: 0, numInfixTokens: 2 }));
  await prompt.setAdapter(["default", "infix"]);
  const { inputIds, attentionMask } = inputsFor(base, io);
  const masked = await prompt({ inputIds, attentionMask });
  expect(masked.logits?.shape).toEqual(io.get("logits")?.shape);
  // Where a row has no padding, its infix stands at its end, with a mask and without.
  const ones = { dtype: "int32", shape: [1, 4], data: Int32Array.of(1, 1, 1, 1) } as const;
  const ids = { ...ones, data: Int32Array.of(5, 9, 12, 6) };
  const [withMask, without] = [await prompt({ inputIds: ids, attentionMask: ones }), await prompt({ inputIds: ids })];
  expect(without.logits?.shape).toEqual([1, 4, 5]);
  expect(relativeL2(without.logits, withMask.logits)).toBeLessThan(1e-6);
});

test("padding never changes what an infix does", async () => {
  const base = await modelOf("bert_seqcls");
  const model = getPeftModel(base, new PreEmbedConfig({ numPrefixTokens: 1, numInfixTokens: 2, taskType: "SEQ_CLS" }));
  const int32 = (rows: number[][]) =>
    ({ dtype: "int32", shape: [rows.length, rows[0]?.length ?? 0], data: Int32Array.from(rows.flat()) }) as const;
  const short = await model({ inputIds: int32([[5, 9, 12]]), attentionMask: int32([[1, 1, 1]]) });
  const padded = await model({
    inputIds: int32([
      [5, 9, 12, 0, 0],
      [7, 8, 9, 10, 11],
    ]),
    attentionMask: int32([
      [1, 1, 1, 0, 0],
      [1, 1, 1, 1, 1],
    ]),
  });
  const first = {
    dtype: "float32",
    shape: [1, 3],
    data: Float32Array.from(padded.logits?.data ?? []).slice(0, 3),
  } as const;
  expect(relativeL2(first, short.logits)).toBeLessThan(1e-6);
});

test("PreLayer must place its tokens last", async () => {
  const base = await modelOf("bert_seqcls");
  const model = getPeftModel(base, new PreLayerConfig({ numPrefixTokens: 2 }));
  model.addAdapter("prompt", new PreEmbedConfig({ numPrefixTokens: 2 }));
  await model.setAdapter(["default", "prompt"]);
  const { tensors: io } = await readGolden("methods/bert_prefix/io.safetensors");
  await expect(model(inputsFor(base, io))).rejects.toThrow(/adds tokens after PreLayer/);
  await model.setAdapter("default");
  expect((await model(inputsFor(base, io))).logits?.shape).toEqual([3, 3]);
});

test.each([
  ["distilbert_seqcls", new PrefixTuningConfig({ numVirtualTokens: 3, taskType: "SEQ_CLS" })],
  ["deberta_seqcls", new PrefixTuningConfig({ numVirtualTokens: 3, taskType: "SEQ_CLS" })],
  ["deberta_conv", new PrefixTuningConfig({ numVirtualTokens: 3, taskType: "SEQ_CLS", prefixProjection: true })],
  // Its embeddings are narrower than its layers.
  ["deberta_both", new PromptTuningConfig({ numVirtualTokens: 3, taskType: "TOKEN_CLS" })],
  ["deberta_both", new PreLayerConfig({ numPrefixTokens: 2, numInfixTokens: 1, taskType: "TOKEN_CLS" })],
])("%s learns with virtual tokens that PEFT does not have there; switched off it is the base", async (name, config) => {
  const base = await modelOf(name);
  const { tensors: io } = await readGolden(`models/${name}/io.safetensors`);
  const inputs = inputsFor(base, io, true);
  const before = await base(inputsFor(base, io));
  const model = getPeftModel(base, config);
  const session = createTrainingSession(model, { optimizer: "adamw" });
  const losses: number[] = [];
  for (let step = 0; step < 12; step++) {
    losses.push((await session.forwardBackward(inputs)).loss);
    await session.optimizerStep({ learningRate: 0.01 });
  }
  // Dropout acts: three steps are compared with three.
  const sum = (some: readonly number[]): number => some.reduce((all, loss) => all + loss, 0);
  expect(sum(losses.slice(-3))).toBeLessThan(0.9 * sum(losses.slice(0, 3)));
  const disabled = await model.disableAdapter(() => model(inputsFor(base, io)));
  expect(relativeL2(disabled.logits, before.logits)).toBeLessThan(1e-6);
});
