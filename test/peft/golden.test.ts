import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defineProgram } from "#graft/compile/index";
import type { PreTrainedModel } from "#graft/models/index";
import { readParameter, traceNetwork } from "#graft/models/index";
import { toV4Name } from "#graft/models/module-names";
import { PeftModel } from "#graft/peft/index";
import type { TensorData } from "#graft/tensor-data";
import { inputsFor, loadGoldenModel } from "./models.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

/** The gradient of a key's bias is exactly zero in theory: what both sides find below this norm is rounding. */
const ROUNDING_NORM = 1e-6;

const norm = (tensor: TensorData | undefined): number =>
  Math.hypot(...((tensor?.data ?? [Number.NaN]) as Float32Array));

/** Gradients of all trainable parameters, without dropout, by parameter name. */
async function gradientsOf(model: PeftModel, tensors: ReadonlyMap<string, TensorData>, base: PreTrainedModel) {
  const { feeds, rules } = model.prepareInputs(inputsFor(base, tensors, true));
  const { trace, outputs } = traceNetwork(model.network, "eval", rules, false);
  const engine = await model.runner.engine();
  const program = await engine.compile(
    defineProgram({ trace, outputs, loss: "loss", purpose: "training", backend: engine.backend }),
  );
  const resident: Record<string, TensorData> = {};
  for (const parameter of trace.parameters.keys()) {
    if (trace.isFed(parameter)) resident[parameter.inputName] = await readParameter(parameter);
  }
  await engine.setResident(resident);
  const { loss } = await program.accumulate(feeds);
  // The test's own program has no adapter's name in its slots.
  const gradients = Object.entries(await program.gradients());
  return { loss, gradients: Object.fromEntries(gradients.map(([slot, tensor]) => [slot.replace(/#.*/, ""), tensor])) };
}

describe.each(readdirSync(goldenPath("peft")))("adapter %s, saved by PEFT 0.21", (name) => {
  const meta = JSON.parse(readFileSync(goldenPath(`peft/${name}/meta.json`), "utf8"));
  let base: PreTrainedModel;
  let model: PeftModel;
  let io: ReadonlyMap<string, TensorData>;

  beforeAll(async () => {
    base = await loadGoldenModel(meta.base);
    model = await PeftModel.fromPretrained(base, goldenPath(`peft/${name}`), { isTrainable: true });
    io = (await readGolden(`peft/${name}/io.safetensors`)).tensors;
  });
  afterAll(() => base.dispose());

  test("adapts the same modules and counts the same parameters", () => {
    const wanted = meta.adaptedModules.map((path: string) => toV4Name(base.config.modelType, path));
    expect(model.targetedModuleNames.sort()).toEqual(wanted.sort());
    expect(model.getNbTrainableParameters()).toEqual([meta.trainableParameters, meta.allParameters]);
    expect(model.trainableParametersLine()).toBe(meta.printTrainableParameters);
  });

  test("logits and loss", async () => {
    const { logits, loss } = await model(inputsFor(base, io, true));
    expect(relativeL2(logits, io.get("logits"))).toBeLessThan(1e-5);
    const wanted = Number(io.get("loss")?.data[0]);
    expect(Math.abs((loss as number) - wanted)).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted)));
  });

  test("logits with the adapter disabled, and back", async () => {
    const disabled = await model.disableAdapter(() => model(inputsFor(base, io)));
    expect(relativeL2(disabled.logits, io.get("disabled_logits"))).toBeLessThan(1e-5);
    expect(relativeL2((await model(inputsFor(base, io))).logits, io.get("logits"))).toBeLessThan(1e-5);
  });

  test("merged logits; unmerging restores every weight to the bit", async () => {
    const before = await model(inputsFor(base, io));
    const weights = new Map(base.namedParameters().map(([key, { source }]) => [key, source]));
    await model.mergeAdapter({ safeMerge: true });
    const merged = await model(inputsFor(base, io));
    expect(relativeL2(merged.logits, io.get("merged_logits"))).toBeLessThan(1e-5);
    expect(relativeL2(merged.logits, before.logits)).toBeLessThan(1e-5);
    model.unmergeAdapter();
    for (const [key, parameter] of base.namedParameters()) {
      expect(parameter.adjustments, key).toEqual([]);
      expect(parameter.source, key).toBe(weights.get(key));
    }
    expect(relativeL2((await model(inputsFor(base, io))).logits, before.logits)).toBe(0);
  });

  test("gradients of every trainable parameter", async () => {
    const { loss, gradients } = await gradientsOf(model, io, base);
    expect(Math.abs(loss - Number(io.get("loss")?.data[0]))).toBeLessThan(1e-4);
    const wanted = [...io].filter(([key]) => key.startsWith("grad."));
    const nameOf = (key: string): string =>
      toV4Name(base.config.modelType, key.replace("grad.base_model.model.", "")).replace(".base_layer.", ".");
    expect(Object.keys(gradients).sort()).toEqual(wanted.map(([key]) => nameOf(key)).sort());
    for (const [key, tensor] of wanted) {
      const found = gradients[nameOf(key)];
      if (norm(tensor) < ROUNDING_NORM) expect(norm(found), key).toBeLessThan(ROUNDING_NORM);
      else expect(relativeL2(found, tensor), key).toBeLessThan(1e-5);
    }
  });

  test("merged for good: a plain model with the same logits", async () => {
    const plain = await model.mergeAndUnload();
    expect(plain.namedParameters().some(([key]) => key.includes("lora"))).toBe(false);
    expect(relativeL2((await plain(inputsFor(base, io))).logits, io.get("merged_logits"))).toBeLessThan(1e-5);
  });
});
