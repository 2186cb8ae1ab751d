import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { PreTrainedModel } from "#graft/models/index";
import { modelCard } from "#graft/peft/folder/model-card";
import { PeftModel } from "#graft/peft/index";
import { openSafetensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { bytesOf, type TensorData } from "#graft/tensor-data";
import { python, withPython } from "../onnx/official-checker.js";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

const repository = fileURLToPath(new URL("../../", import.meta.url));
const models: PreTrainedModel[] = [];
let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "graft-peft-"));
});
afterAll(async () => {
  await Promise.all(models.map((model) => model.dispose()));
  await rm(scratch, { recursive: true });
});

async function load(name: string): Promise<PeftModel> {
  const { base } = JSON.parse(await readFile(goldenPath(`peft/${name}/meta.json`), "utf8"));
  const model = await loadGoldenModel(base);
  models.push(model);
  return PeftModel.fromPretrained(model, goldenPath(`peft/${name}`));
}

/** A config file without what says where the base lies, and numbers as JavaScript writes them. */
async function comparableConfig(folder: string): Promise<Record<string, unknown>> {
  const { base_model_name_or_path: _, ...config } = JSON.parse(
    await readFile(join(folder, "adapter_config.json"), "utf8"),
  );
  return config;
}

const variants = [
  "bert_default",
  "bert_no_task",
  "bert_bias_all",
  "bert_bias_lora_only",
  "bert_all_linear",
  "bert_exclude",
  "bert_regex",
  "roberta_default",
  "roberta_bias_all",
  "vit_default",
  "vit_bias_all",
  "vit_bias_lora_only",
  "vit_regex",
  "vit_all_linear",
];

describe.each(variants)("%s, loaded and saved", (name) => {
  test("gives PEFT's own config and tensors, bit for bit", async () => {
    const model = await load(name);
    const folder = join(scratch, name);
    await model.savePretrained(folder);
    expect(await comparableConfig(folder)).toEqual(await comparableConfig(goldenPath(`peft/${name}`)));
    const wanted = await readGolden(`peft/${name}/adapter_model.safetensors`);
    const found = await openSafetensors(join(folder, "adapter_model.safetensors"));
    // PEFT also writes copies of the head's biases that it does not read.
    const read = [...wanted.file.entries.keys()].filter((key) => !/modules_to_save|original_module/.test(key));
    expect([...found.entries.keys()].sort()).toEqual(read.sort());
    expect(found.metadata).toEqual({ format: "pt" });
    const bytes = await readFile(join(folder, "adapter_model.safetensors"));
    for (const [key, entry] of found.entries) {
      const tensor = wanted.tensors.get(key) as TensorData;
      const own = bytes.subarray(entry.offset, entry.offset + entry.byteLength);
      expect(Buffer.compare(own, bytesOf(tensor)), key).toBe(0);
    }
    const card = await readFile(join(folder, "README.md"), "utf8");
    expect(card).toContain("library_name: peft");
    expect(card).toContain("base_model:");
  });
});

test("the model card is YAML whatever the base is called", () => {
  const base = 'C:\\models\\"mine": #1';
  const [, front] = modelCard(base, [`base_model:adapter:${base}`, "lora"], { type: "LORA", help: "" }).split("---\n");
  const tags = [`base_model:adapter:${base}`, "lora"];
  expect(parse(front as string)).toEqual({ base_model: base, library_name: "peft", tags });
});

describe.each(["vit_default", "vit_regex", "vit_bias_lora_only"])("%s_v4", (name) => {
  test("is written with v5 names by default, with v4 names on request", async () => {
    const model = await load(`${name}_v4`);
    const [v4, v5] = [join(scratch, `${name}_v4`), join(scratch, `${name}_v5`)];
    await model.savePretrained(v4, { moduleNames: "v4" });
    await model.savePretrained(v5);
    expect(await comparableConfig(v4)).toEqual(await comparableConfig(goldenPath(`peft/${name}_v4`)));
    for (const [folder, golden] of [
      [v4, `${name}_v4`],
      [v5, name],
    ] as const) {
      const wanted = await openSafetensors(goldenPath(`peft/${golden}/adapter_model.safetensors`));
      const found = await openSafetensors(join(folder, "adapter_model.safetensors"));
      expect([...found.entries.keys()]).toEqual([...wanted.entries.keys()]);
    }
  });
});

describe.runIf(python)(`Python${withPython}`, () => {
  const written = [...variants, "vit_default_v4", "vit_regex_v4", "vit_bias_all_v4"];
  test.each(written)("%s: PEFT loads what Graft saved, with no warning and the same logits", async (name) => {
    const model = await load(name);
    const base = model.getBaseModel();
    const adapter = join(scratch, `${name}-python`);
    await model.savePretrained(adapter);
    const { tensors } = await readGolden(`peft/${name}/io.safetensors`);
    const { logits } = await model(inputsFor(base, tensors));
    const io = join(scratch, `${name}-io.safetensors`);
    const inputs = ["input_ids", "attention_mask", "token_type_ids", "pixel_values"];
    const kept = [...tensors].filter(([key]) => inputs.includes(key));
    expect(logits).toBeDefined();
    if (logits) await writeSafetensors(io, new Map([...kept, ["logits", logits]]));
    const options = ["reference/check_adapter.py", "--base", base.nameOrPath ?? "", "--adapter", adapter, "--io", io];
    const { stdout } = await promisify(execFile)(python ?? "", options, { cwd: repository });
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, warnings: [] });
  });
});

test("a trained adapter under another name goes into a folder of its own and comes back", async () => {
  const model = await load("bert_default");
  await model.loadAdapter(goldenPath("peft/bert_rslora"), { adapterName: "other" });
  const folder = join(scratch, "two");
  await model.savePretrained(folder);
  const fresh = await loadGoldenModel("bert_seqcls");
  models.push(fresh);
  const again = await PeftModel.fromPretrained(fresh, join(folder, "other"));
  const { tensors } = await readGolden("peft/bert_rslora/io.safetensors");
  expect(relativeL2((await again(inputsFor(fresh, tensors))).logits, tensors.get("logits"))).toBeLessThan(1e-5);
});
