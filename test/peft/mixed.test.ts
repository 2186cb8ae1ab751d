import { readFileSync } from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { getPeftModel, IA3Config, LoraConfig, PeftModel } from "#graft/peft/index";
import { rowsOf } from "./batch-rows.js";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

interface MixedMeta {
  readonly base: string;
  readonly adapters: readonly string[];
  readonly adapterNames: readonly string[];
}

async function loadMixed(name: string): Promise<{ model: PeftModel; meta: MixedMeta }> {
  const meta: MixedMeta = JSON.parse(readFileSync(goldenPath(`together/${name}/meta.json`), "utf8"));
  const base = await loadGoldenModel(meta.base);
  onTestFinished(() => base.dispose());
  const [first = "", ...others] = meta.adapters;
  const model = await PeftModel.fromPretrained(base, goldenPath(`together/${name}/${first}`), { adapterName: first });
  for (const adapterName of others) {
    await model.loadAdapter(goldenPath(`together/${name}/${adapterName}`), { adapterName });
  }
  return { model, meta };
}

describe.each(["bert_mixed", "roberta_mixed", "vit_mixed"])("%s", (name) => {
  test("equals PEFT's, and each row alone", async () => {
    const { model, meta } = await loadMixed(name);
    const { tensors: io } = await readGolden(`together/${name}/io.safetensors`);
    const inputs = inputsFor(model.getBaseModel(), io);
    const { adapterNames } = meta;
    const { logits } = await model({ ...inputs, adapterNames });
    expect(relativeL2(logits, io.get("logits"))).toBeLessThan(1e-5);
    expect(model.activeAdapters).toEqual([meta.adapters[0]]);
    expect(model.bankBytes).toBeGreaterThan(0);
    for (const [row, adapter] of adapterNames.entries()) {
      const alone = rowsOf(inputs, row);
      const run = async () => (await model(alone)).logits;
      if (adapter !== "__base__") await model.setAdapter(adapter);
      const wanted = adapter === "__base__" ? await model.disableAdapter(run) : await run();
      const found = rowsOf({ logits }, row).logits;
      expect(relativeL2(found, wanted), `${row}: ${adapter}`).toBeLessThan(1e-5);
    }
  });

  test("another choice of the same adapters makes no session and sends nothing", async () => {
    const { model, meta } = await loadMixed(name);
    const { tensors: io } = await readGolden(`together/${name}/io.safetensors`);
    const inputs = inputsFor(model.getBaseModel(), io);
    const { adapterNames } = meta;
    const first = (await model({ ...inputs, adapterNames })).logits;
    const engine = await model.runner.engine();
    const before = await engine.counters();
    await model({ ...inputs, adapterNames: [...adapterNames].reverse() });
    expect(relativeL2((await model({ ...inputs, adapterNames })).logits, first)).toBe(0);
    const after = await engine.counters();
    expect([after.sessions, after.bytesUploaded]).toEqual([before.sessions, before.bytesUploaded]);
  });
});

describe("what cannot be mixed is refused by name", () => {
  const options = { taskType: "SEQ_CLS", targetModules: ["query"] } as const;
  const load = async () => {
    const base = await loadGoldenModel("bert_seqcls");
    onTestFinished(() => base.dispose());
    const { tensors } = await readGolden("models/bert_seqcls/io.safetensors");
    return { base, inputs: inputsFor(base, tensors) };
  };
  const rows = (...adapterNames: string[]) => ({ adapterNames });

  test.each([
    ["DoRA", new LoraConfig({ ...options, useDora: true }), /second.*DoRA/],
    ["biases", new LoraConfig({ ...options, bias: "all" }), /second is loaded: it changes .*bias/],
    ["biases beside B", new LoraConfig({ ...options, loraBias: true }), /second.*loraBias/],
    ["embeddings", new LoraConfig({ ...options, targetModules: ["word_embeddings"] }), /second.*embedding table/],
    ["token rows", new LoraConfig({ ...options, trainableTokenIndices: [1] }), /second.*trains rows/],
    ["residuals", new LoraConfig({ ...options, initLoraWeights: "pissa" }), /second is loaded: it changes .*weight/],
    ["another method", new IA3Config({ taskType: "SEQ_CLS" }), /second.*IA3/],
  ])("%s", async (_, config, message) => {
    const { base, inputs } = await load();
    const model = getPeftModel(base, new LoraConfig(options), { adapterName: "first" });
    model.addAdapter("second", config);
    const before = (await model(inputs)).logits;
    await expect(model({ ...inputs, ...rows("first", "second", "__base__") })).rejects.toThrow(message);
    expect((await model(inputs)).logits).toEqual(before);
  });

  test.each([
    ["residuals", new LoraConfig({ ...options, initLoraWeights: "olora" })],
    ["biases", new LoraConfig({ ...options, bias: "lora_only" })],
  ])("%s of an adapter that no row chooses, as long as it is loaded", async (_, config) => {
    const { base, inputs } = await load();
    const model = getPeftModel(base, new LoraConfig(options), { adapterName: "first" });
    const adapterNames = ["first", "__base__", "first"];
    const before = (await model({ ...inputs, adapterNames })).logits;
    model.addAdapter("second", config);
    await expect(model({ ...inputs, adapterNames })).rejects.toThrow(/second is loaded: it changes/);
    await model.deleteAdapter("second");
    expect((await model({ ...inputs, adapterNames })).logits).toEqual(before);
  });

  test("the convolution of patches", async () => {
    const base = await loadGoldenModel("vit_imgcls");
    onTestFinished(() => base.dispose());
    const { tensors } = await readGolden("models/vit_imgcls/io.safetensors");
    const model = getPeftModel(base, new LoraConfig({ targetModules: ["projection"] }), { adapterName: "first" });
    const adapterNames = Array.from({ length: tensors.get("pixel_values")?.shape[0] ?? 0 }, () => "first");
    await expect(model({ ...inputsFor(base, tensors), adapterNames })).rejects.toThrow(
      /first: it adapts a convolution/,
    );
  });

  test("unknown names, too few names, merged adapters", async () => {
    const { base, inputs } = await load();
    const model = getPeftModel(base, new LoraConfig(options), { adapterName: "first" });
    await expect(model({ ...inputs, ...rows("first", "nobody", "first") })).rejects.toThrow(/nobody/);
    await expect(model({ ...inputs, ...rows("first") })).rejects.toThrow(/1 adapterNames for 3 rows/);
    await model.mergeAdapter();
    await expect(model({ ...inputs, ...rows("first", "first", "first") })).rejects.toThrow(/merged/);
  });
});
