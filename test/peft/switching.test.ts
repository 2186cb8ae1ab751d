import { expect, onTestFinished, test } from "vitest";
import { getPeftModel, LoraConfig, type PeftModel } from "#graft/peft/index";
import { inputsFor, loadGoldenModel } from "./models.js";
import { readGolden, relativeL2 } from "./numbers.js";

const config = (r: number, loraAlpha: number) =>
  new LoraConfig({ r, loraAlpha, taskType: "SEQ_CLS", targetModules: ["query", "value"], initLoraWeights: false });

async function modelWithThree(): Promise<PeftModel> {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const model = getPeftModel(base, config(4, 8), { adapterName: "a", seed: 1 });
  model.addAdapter("b", config(2, 1), { seed: 2 });
  model.addAdapter("c", config(7, 3), { seed: 3 });
  return model;
}

test("switching between adapters of equal signature makes no session and sends nothing", async () => {
  const model = await modelWithThree();
  const { tensors } = await readGolden("models/bert_seqcls/io.safetensors");
  const inputs = inputsFor(model.getBaseModel(), tensors);
  const logits = async (name: string) => {
    await model.setAdapter(name);
    return (await model(inputs)).logits;
  };
  const first = { a: await logits("a"), b: await logits("b"), c: await logits("c") };
  expect(relativeL2(first.a, first.b)).toBeGreaterThan(1e-3);
  const engine = await model.runner.engine();
  const before = await engine.counters();
  expect(before.sessions).toBe(1);
  for (const name of ["b", "a", "c", "a"] as const) expect(relativeL2(await logits(name), first[name])).toBe(0);
  const after = await engine.counters();
  expect(after.sessions).toBe(before.sessions);
  expect(after.bytesUploaded).toBe(before.bytesUploaded);
  expect(after.runs).toBe(before.runs + 4);
});

test("a deleted adapter leaves the engine; the others stay", async () => {
  const model = await modelWithThree();
  const { tensors } = await readGolden("models/bert_seqcls/io.safetensors");
  const inputs = inputsFor(model.getBaseModel(), tensors);
  for (const name of ["a", "b", "c"]) {
    await model.setAdapter(name);
    await model(inputs);
  }
  const engine = await model.runner.engine();
  const names = async () => Object.keys(await engine.getResident());
  expect((await names()).some((name) => name.includes(".b."))).toBe(true);
  await model.deleteAdapter("b");
  const left = await names();
  expect(left.some((name) => /\.b(\.|$)/.test(name))).toBe(false);
  expect(left.some((name) => /\.a(\.|$)/.test(name))).toBe(true);
});
