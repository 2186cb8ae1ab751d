import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PeftConfig } from "graft-peft";
import { exportOnnx, getPeftModel, LoraConfig, type PeftModel, PfeifferConfig, PromptTuningConfig } from "graft-peft";
import * as ort from "onnxruntime-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { type TensorData, toFloat32 } from "#graft/tensor-data";
import { maxDifference } from "../models/golden.js";
import { inputsFor, loadGoldenModel } from "../peft/models.js";
import { readGolden } from "../peft/numbers.js";

const tolerance = 1e-5;
const { tensors } = await readGolden("models/bert_seqcls/io.safetensors");

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "graft-export-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

async function adapted(config: PeftConfig, seed: number): Promise<PeftModel> {
  const model = getPeftModel(await loadGoldenModel("bert_seqcls"), config, { seed });
  onTestFinished(() => model.dispose());
  return model;
}

const logitsOf = async (model: PeftModel) => (await model(inputsFor(model.getBaseModel(), tensors))).logits!;

const openOnnx = (folder: string) => ort.InferenceSession.create(join(folder, "onnx/model.onnx"));

/** The logits of an exported graph. */
async function run(session: ort.InferenceSession, adapter: ReadonlyMap<string, TensorData>): Promise<TensorData> {
  const feeds: Record<string, ort.Tensor> = {};
  for (const name of ["input_ids", "attention_mask", "token_type_ids"]) {
    const { data, shape } = tensors.get(name)!;
    feeds[name] = new ort.Tensor("int64", BigInt64Array.from([...data].map(Number), BigInt), [...shape]);
  }
  for (const [name, tensor] of adapter) feeds[name] = new ort.Tensor("float32", toFloat32(tensor), [...tensor.shape]);
  const { logits } = await session.run(feeds);
  return { dtype: "float32", shape: logits!.dims, data: logits!.data as Float32Array };
}

/** What a runtime feeds for an adapter: its file's tensors, and the scale of each module. */
async function fileOf(model: PeftModel, scale: number): Promise<Map<string, TensorData>> {
  const folder = await temporaryFolder();
  await model.savePretrained(folder, { moduleNames: "v4" });
  const file = await readAllTensors(await openSafetensors(join(folder, "adapter_model.safetensors")));
  const feeds = new Map<string, TensorData>();
  for (const [name, tensor] of file) {
    const key = name.replace("base_model.model.", "");
    feeds.set(key, tensor);
    if (!key.endsWith("lora_A.weight")) continue;
    const scaling = { dtype: "float32", shape: [1], data: Float32Array.of(scale) } as const;
    feeds.set(key.replace("lora_A.weight", "lora_scaling"), scaling);
  }
  return feeds;
}

describe('exportOnnx with adapters: "inputs"', () => {
  for (const useDora of [false, true]) {
    it(`${useDora ? "DoRA" : "LoRA"}: one graph serves adapters of different ranks, and the base`, async () => {
      const config = (r: number) =>
        new LoraConfig({
          taskType: "SEQ_CLS",
          r,
          loraAlpha: 3 * r,
          targetModules: ["query", "value"],
          initLoraWeights: false,
          useDora,
        });
      const [narrow, wide] = [await adapted(config(2), 1), await adapted(config(5), 2)];
      const folder = await temporaryFolder();
      await exportOnnx(narrow, folder, { adapters: "inputs" });
      const session = await openOnnx(folder);
      const [first, second] = [await fileOf(narrow, 3), await fileOf(wide, 3)];
      expect([...session.inputNames].sort()).toEqual(
        [...first.keys(), "input_ids", "attention_mask", "token_type_ids"].sort(),
      );
      expect(first.has("bert.encoder.layer.0.attention.self.query.lora_A.weight")).toBe(true);
      const [ofNarrow, ofWide] = [await run(session, first), await run(session, second)];
      expect(maxDifference(ofNarrow, await logitsOf(narrow))).toBeLessThan(tolerance);
      expect(maxDifference(ofWide, await logitsOf(wide))).toBeLessThan(tolerance);
      expect(maxDifference(ofNarrow, ofWide)).toBeGreaterThan(100 * tolerance);
      await session.release();
    });
  }

  it("is refused without an adapter, or with a merged one", async () => {
    const folder = await temporaryFolder();
    const refusal = { code: "invalid-argument" };
    const plain = await loadGoldenModel("bert_seqcls");
    await expect(exportOnnx(plain, folder, { adapters: "inputs" })).rejects.toMatchObject(refusal);
    const model = await adapted(new LoraConfig({ r: 2, targetModules: ["query"] }), 1);
    await model.mergeAdapter();
    await expect(exportOnnx(model, folder, { adapters: "inputs" })).rejects.toMatchObject(refusal);
  });
});

describe("exportOnnx of a method that cannot be merged", () => {
  const configs = {
    Pfeiffer: new PfeifferConfig({ taskType: "SEQ_CLS", reductionFactor: 2 }),
    "prompt tuning": new PromptTuningConfig({ taskType: "SEQ_CLS", numVirtualTokens: 3 }),
  };
  for (const [name, config] of Object.entries(configs)) {
    it(`${name}: the adapter is built into the graph`, async () => {
      const model = await adapted(config, 4);
      const folder = await temporaryFolder();
      await exportOnnx(model, folder);
      const session = await openOnnx(folder);
      expect([...session.inputNames].sort()).toEqual(["attention_mask", "input_ids", "token_type_ids"]);
      const found = await run(session, new Map());
      expect(maxDifference(found, await logitsOf(model))).toBeLessThan(tolerance);
      const base = await model.unload();
      expect(maxDifference(found, (await base(inputsFor(base, tensors))).logits)).toBeGreaterThan(100 * tolerance);
      await session.release();
    });
  }
});
