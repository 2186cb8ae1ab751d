import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForImageClassification, AutoModelForSequenceClassification, PeftModel } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { modelTypes, type PreTrainedModel } from "#graft/models/index";
import { peftTypes } from "#graft/peft/index";
import { describeAdapter } from "#graft/runs/inspect/adapter";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";
import { graft, writePictures } from "../cli/graft.js";
import { inputsFor } from "./models.js";
import { readGolden, relativeL2 } from "./numbers.js";

const assets = fileURLToPath(new URL("../../../shared/assets/adapters/", import.meta.url));
const missing = existsSync(assets) ? "" : " (left out: no ../shared/assets/adapters)";
const TOLERANCE = 1e-5;

const roberta = `${assets}roberta-base_lora_mrpc_peft0.18dev`;
const distilbert = `${assets}distilbert-sst2_lora_r8`;
const vit = `${assets}vit-base_lora_food101`;

/** CRC-32 of a text, as zlib computes it. */
function crc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** The formula of reference/make_published_golden.py. */
function numbers(name: string, count: number): Float32Array {
  const start = crc32(name);
  const isNorm = /layer_?norm.*weight$/i.test(name);
  return Float32Array.from({ length: count }, (_, i) => {
    let hashed = (start + i) | 0;
    hashed = Math.imul(hashed ^ (hashed >>> 16), 0x85ebca6b);
    hashed = Math.imul(hashed ^ (hashed >>> 13), 0xc2b2ae35);
    hashed = (hashed ^ (hashed >>> 16)) >>> 0;
    return (hashed / 2 ** 32 - 0.5) * 0.1 + (isNorm ? 1 : 0);
  });
}

function filled<M extends PreTrainedModel>(model: M): M {
  for (const parameter of model.network.parameters()) {
    const { shape, name, elementCount } = parameter;
    parameter.setData({ dtype: "float32", shape, data: numbers(name, elementCount) });
  }
  return model;
}

const sizes = { intermediate_size: 64, layer_norm_eps: 1e-12 };
const unfilled = { withWeights: false, threads: 1 } as const;

const robertaBase = (numLabels = 2) =>
  filled(
    AutoModelForSequenceClassification.fromConfig(
      { model_type: "roberta", vocab_size: 100, max_position_embeddings: 40, type_vocab_size: 1, ...sizes },
      { numLabels, ...unfilled },
    ),
  );

const distilbertBase = () =>
  filled(
    AutoModelForSequenceClassification.fromConfig(
      { model_type: "distilbert", vocab_size: 100, max_position_embeddings: 40, hidden_dim: 64 },
      { numLabels: 2, ...unfilled },
    ),
  );

function vitBase() {
  const id2label = JSON.parse(readFileSync(join(vit, "id2label.json"), "utf8")) as Record<string, string>;
  const numLabels = Object.keys(id2label).length;
  return filled(
    AutoModelForImageClassification.fromConfig({ model_type: "vit", ...sizes }, { numLabels, ...unfilled }),
  );
}

/** Each pixel repeated 16 times along both axes. */
function enlarged({ shape, data }: TensorData): TensorData<"float32"> {
  const [rows = 0, channels = 0, height = 0, width = 0] = shape;
  const [tall, wide] = [height * 16, width * 16];
  const large = Float32Array.from({ length: rows * channels * tall * wide }, (_, i) => {
    const plane = Math.floor(i / (tall * wide));
    const [y, x] = [Math.floor((i % (tall * wide)) / wide), i % wide];
    return Number(data[(plane * height + (y >> 4)) * width + (x >> 4)]);
  });
  return { dtype: "float32", shape: [rows, channels, tall, wide], data: large };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-published-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.runIf(missing === "")(`published adapters, against PEFT${missing}`, () => {
  test.each([
    ["RoBERTa, written by PEFT 0.18", "roberta", robertaBase, roberta],
    ["DistilBERT, whose pre_classifier is saved with the classifier", "distilbert", distilbertBase, distilbert],
  ])("%s: logits beside the weights and merged", async (_what, name, makeBase, adapter) => {
    const { tensors } = await readGolden(`published/${name}.safetensors`);
    const model = await PeftModel.fromPretrained(makeBase(), adapter, { onWarning: () => {} });
    const inputs = inputsFor(model.getBaseModel(), tensors);
    expect(relativeL2((await model(inputs)).logits, tensors.get("logits"))).toBeLessThan(TOLERANCE);
    await model.mergeAdapter();
    expect(relativeL2((await model(inputs)).logits, tensors.get("merged_logits"))).toBeLessThan(TOLERANCE);
    await model.unmergeAdapter();
    const saved = join(folder, name);
    await model.savePretrained(saved);
    await model.dispose();
    const [theirs, ours] = await Promise.all(
      [adapter, saved].map(async (path) =>
        readAllTensors(await openSafetensors(join(path, "adapter_model.safetensors"))),
      ),
    );
    expect(ours).toEqual(theirs);
  });

  test("loralib's own checkpoint for MNLI: logits beside the weights and merged", async () => {
    const folder = `${assets}loralib_roberta-base_mnli`;
    await expect(PeftModel.fromPretrained(robertaBase(3), folder)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("lora_alpha"),
    });
    const { tensors } = await readGolden("published/loralib.safetensors");
    const remarks: string[] = [];
    const onWarning = (remark: string) => remarks.push(remark);
    const model = await PeftModel.fromPretrained(robertaBase(3), folder, { loraAlpha: 16, onWarning });
    expect(remarks.join()).toMatch(/lora_A and lora_B without \.weight, as loralib has them \(48\)/);
    const inputs = inputsFor(model.getBaseModel(), tensors);
    expect(relativeL2((await model(inputs)).logits, tensors.get("logits"))).toBeLessThan(TOLERANCE);
    await model.mergeAdapter({ safeMerge: true });
    expect(relativeL2((await model(inputs)).logits, tensors.get("merged_logits"))).toBeLessThan(TOLERANCE);
    await model.dispose();
  });

  test("ViT with names of transformers 4: logits beside the weights, and merged by the command line", async () => {
    const { tensors } = await readGolden("published/vit.safetensors");
    const inputs = { pixelValues: enlarged(tensors.get("small_pixels") as TensorData) };
    const base = vitBase();
    await base.savePretrained(join(folder, "vit"));
    const model = await PeftModel.fromPretrained(base, vit, { onWarning: () => {} });
    expect(relativeL2((await model(inputs)).logits, tensors.get("logits"))).toBeLessThan(TOLERANCE);
    await model.dispose();
    const merged = await graft(folder, ["merge", vit, "merged", "--model", "vit"]);
    expect(merged.status).toBe(0);
    const plain = await AutoModelForImageClassification.fromPretrained(join(folder, "merged"), { threads: 1 });
    expect(relativeL2((await plain(inputs)).logits, tensors.get("merged_logits"))).toBeLessThan(TOLERANCE);
    await plain.dispose();

    await writePictures(join(folder, "pictures"), 1);
    const task = ["pictures/red/0.png", "--top-k", "3", "--threads", "1", "--json"];
    const beside = await graft(folder, ["predict", vit, ...task, "--model", "vit"]);
    const inside = await graft(folder, ["predict", "merged", ...task]);
    expect(beside.status).toBe(0);
    const labelsOf = (text: string) => JSON.parse(text).labels as { label: string; id: number; probability: number }[];
    for (const [rank, { id, probability }] of labelsOf(beside.stdout).entries()) {
      expect(labelsOf(inside.stdout)[rank]?.id).toBe(id);
      expect(labelsOf(inside.stdout)[rank]?.probability).toBeCloseTo(probability, 5);
    }
  });
});

/** What `graft inspect` says of running the folders that it cannot run. */
const refusals: Readonly<Record<string, RegExp>> = {
  "peft-regression_adalora_mlp": /no: its base is a MLP of test_regression/,
  "peft-regression_ia3_mlp": /no: its base is a MLP of test_regression/,
  "peft-regression_lora_conv2d": /no: its base is a \w+ of test_regression/,
  "peft-regression_lora_emb_conv1d": /no: its base is a \w+ of test_regression/,
  "peft-regression_lora_mlp": /no: its base is a MLP of test_regression/,
  "peft-regression_lora_mlp_modules_to_save": /no: its base is a \w+ of \w+/,
  "roberta-base_unilora": /no: UNILORA is a method of PEFT's that Graft does not build/,
  "t5-small_lora_bin_peft0.2": /no: its base is an encoder with a decoder/,
};
const published = missing === "" ? readdirSync(assets).filter((name) => !/^_|\.md$/.test(name)) : [];
const configs = missing === "" ? readdirSync(join(assets, "_configs_only")) : [];

describe.runIf(missing === "")(`graft inspect on published folders${missing}`, () => {
  test.each(published)("%s", async (name) => {
    const { status, stdout } = await graft(folder, ["inspect", join(assets, name)]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^adapter +/);
    expect(stdout).toMatch(/^Graft runs it +(yes|no)/m);
    const isBuilt = modelTypes.some((type) => name.startsWith(type)) || !name.startsWith("gpt2");
    expect(stdout).toMatch(refusals[name] ?? (isBuilt ? /^Graft runs it +yes/m : /no: its base is a GPT2/));
    expect(stdout).toMatch(/^peft_type +(LORA|IA3|ADALORA|UNILORA)$/m);
    expect(stdout).toMatch(/\d+ tensors, [\d,]+ elements, /);
  });

  test("configs alone, of whatever type", async () => {
    for (const name of configs) {
      const { config, verdict } = await describeAdapter(join(assets, "_configs_only", name));
      expect(peftTypes, name).toContain(config.peft_type);
      expect(verdict.why, name).toMatch(/^no: /);
    }
  });
});
