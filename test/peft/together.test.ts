import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type PreTrainedModel, readParameter } from "#graft/models/index";
import { PeftModel } from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";
import { copyOf } from "../models/folder.js";
import { fiveUpdates, gradientsOf, metaOf, plainName } from "./method-goldens.js";
import { inputsFor, loadClassifier, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

const withoutDropout = { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0, classifier_dropout: null };

interface Together {
  readonly base: PreTrainedModel;
  readonly model: PeftModel;
  readonly io: ReadonlyMap<string, TensorData>;
}

/** A golden model with all adapters of a golden folder, in their order; all of them act. */
async function loadTogether(name: string, adapters: readonly string[], base: PreTrainedModel): Promise<Together> {
  const folder = `together/${name}`;
  onTestFinished(() => base.dispose());
  const [first = "", ...others] = adapters;
  const options = { isTrainable: true, onWarning: () => {} };
  const model = await PeftModel.fromPretrained(base, goldenPath(`${folder}/${first}`), {
    ...options,
    adapterName: first,
  });
  for (const adapterName of others) {
    await model.loadAdapter(goldenPath(`${folder}/${adapterName}`), { ...options, adapterName });
  }
  await model.setAdapter(adapters);
  return { base, model, io: (await readGolden(`${folder}/io.safetensors`)).tensors };
}

/** "classifier.first.weight" and "grad.first.classifier.weight" both as "first.classifier.weight". */
function keyed(name: string, adapters: readonly string[]): string {
  const adapter = adapters.find((one) => name.includes(`.${one}.`) || name.endsWith(`.${one}`));
  return adapter === undefined
    ? name
    : `${adapter}.${plainName(name.replace(new RegExp(`\\.${adapter}(?=\\.|$)`), ""))}`;
}

const goldenKey = (base: PreTrainedModel, key: string): string => {
  const [adapter = "", ...rest] = key.split(".").slice(1);
  return `${adapter}.${base.network.names.toV4(plainName(rest.join(".")))}`;
};

/** Gives the base the head that an adapter was trained with: the goldens of virtual tokens alone have LoRA's. */
async function takeHead(base: PreTrainedModel, folder: string): Promise<void> {
  const tensors = await readAllTensors(await openSafetensors(join(folder, "adapter_model.safetensors")));
  for (const parameter of base.network.parameters()) {
    const data = tensors.get(`base_model.model.${parameter.name}`);
    if (data && parameter.name.startsWith("classifier.")) parameter.setData(data as TensorData<"float32">);
  }
}

const pairs = {
  bert_two_adapters: ["first", "second"],
  bert_two_adapters_bias_all: ["first", "second"],
  bert_two_adapters_bias_lora_only: ["first", "second"],
  bert_lora_then_ia3: ["lora", "ia3"],
  bert_ia3_then_lora: ["ia3", "lora"],
  bert_lora_preembed: ["lora", "preembed"],
  bert_lora_prelayer: ["lora", "prelayer"],
  bert_lora_prompt: ["lora", "prompt"],
  roberta_lora_preembed: ["lora", "preembed"],
  roberta_lora_prompt: ["lora", "prompt"],
  vit_lora_preembed: ["lora", "preembed"],
  vit_lora_prelayer: ["lora", "prelayer"],
} as const;

describe.each(Object.entries(pairs))("%s", (name, adapters) => {
  const meta = metaOf(`together/${name}`);
  const load = async () => loadTogether(name, adapters, await loadGoldenModel(meta.base));
  const logitsOf = async ({ model, base, io }: Together) => (await model(inputsFor(base, io))).logits;

  test("their effects add up; each acts alone when it is set; none when disabled", async () => {
    const all = await load();
    const { base, model, io } = all;
    expect(relativeL2(await logitsOf(all), io.get("logits"))).toBeLessThan(1e-5);
    const disabled = await model.disableAdapter(() => logitsOf(all));
    expect(relativeL2(disabled, io.get("disabled_logits"))).toBeLessThan(1e-5);
    if (name.includes("lora_p")) {
      await expect(model.mergeAdapter()).rejects.toThrow(/cannot be merged/);
    } else {
      await model.mergeAdapter();
      expect(relativeL2(await logitsOf(all), io.get("merged_logits") ?? io.get("logits"))).toBeLessThan(1e-5);
      model.unmergeAdapter();
    }
    expect(relativeL2(await logitsOf(all), io.get("logits"))).toBeLessThan(1e-5);
    for (const adapter of adapters) {
      await model.setAdapter(adapter);
      if (name.includes("lora_p") && adapter !== "lora") await takeHead(base, goldenPath(`together/${name}/lora`));
      expect(relativeL2(await logitsOf(all), io.get(`${adapter}.logits`)), adapter).toBeLessThan(1e-5);
    }
    await model.setAdapter(adapters);
    expect(relativeL2(await logitsOf(all), io.get("logits"))).toBeLessThan(1e-5);
  });

  test("both are trained at once", async () => {
    const { base, model, io } = await load();
    const { gradients } = await gradientsOf(model, io);
    const found = new Map(Object.entries(gradients).map(([key, tensor]) => [keyed(key, adapters), tensor]));
    const wanted = [...io].filter(([key]) => key.startsWith("grad."));
    expect(found.size).toBe(wanted.length);
    const norm = ({ data }: TensorData) => Math.hypot(...(data as Float32Array));
    const total = Math.hypot(...wanted.map(([, tensor]) => norm(tensor)));
    for (const [key, tensor] of wanted) {
      // A part of the whole gradient's norm: of the smallest tensors, which sums cancel to, only rounding is left.
      const most = 1e-5 + (1e-6 * total) / norm(tensor);
      if (norm(tensor) > 1e-6) expect(relativeL2(found.get(goldenKey(base, key)), tensor), key).toBeLessThan(most);
    }
  });

  test("five updates of both", async () => {
    const folder = await copyOf(meta.base, withoutDropout);
    const { base, model, io } = await loadTogether(name, adapters, await loadClassifier(folder));
    const { tensors: updates } = await readGolden(`together/${name}/updates.safetensors`);
    const least = Math.max(1e-5, 5 * (meta.updatesDifferenceFromFloat64 ?? 0));
    const losses = await fiveUpdates(model, io);
    const wanted = [...(updates.get("losses")?.data ?? [])].map(Number);
    for (const [step, loss] of wanted.entries()) {
      expect(Math.abs((losses[step] as number) - loss)).toBeLessThan(least * Math.max(1, loss));
    }
    const found = new Map(model.namedParameters().map(([key, parameter]) => [keyed(key, adapters), parameter]));
    const rounding = new Set(meta.gradientIsRounding);
    const after = [...updates].filter(([key]) => key.startsWith("after.") && !rounding.has(key.replace("after.", "")));
    expect(after.length).toBeGreaterThan(0);
    for (const [key, tensor] of after) {
      const parameter = found.get(goldenKey(base, key));
      expect(parameter && relativeL2(await readParameter(parameter), tensor), key).toBeLessThan(least);
    }
  });

  test("each is saved alone, without a trace of the other", async () => {
    const { model } = await load();
    const target = await mkdtemp(join(tmpdir(), "graft-together-"));
    onTestFinished(() => rm(target, { recursive: true }));
    await model.savePretrained(target);
    for (const adapter of adapters) {
      const file = `${adapter}/adapter_model.safetensors`;
      const found = await readAllTensors(await openSafetensors(join(target, file)));
      const wanted = await readAllTensors(await openSafetensors(goldenPath(`together/${name}/${file}`)));
      const plain = (tensors: ReadonlyMap<string, TensorData>) =>
        new Map([...tensors].map(([key, tensor]) => [plainName(key), tensor] as const));
      expect([...found.keys()].every((key) => !key.includes(`.${adapter}.`))).toBe(true);
      for (const [key, tensor] of plain(found)) expect(tensor, String(key)).toEqual(plain(wanted).get(String(key)));
    }
  });
});

test("two adapters that save the same head cannot act together, and nothing changes", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const model = await PeftModel.fromPretrained(base, goldenPath("peft/bert_default"));
  await model.loadAdapter(goldenPath("methods/bert_ia3"), { adapterName: "other" });
  await expect(model.setAdapter(["default", "other"])).rejects.toThrow(/classifier\.weight/);
  expect(model.activeAdapters).toEqual(["default"]);
});
