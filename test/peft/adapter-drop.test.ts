import { expect, onTestFinished, test } from "vitest";
import { AdapterDropConfig, getPeftModel } from "#graft/peft/index";
import { inputsFor, loadGoldenModel } from "./models.js";
import { readGolden } from "./numbers.js";

test("each pass in training draws how many first layers go without; the last never does, and a key draws the same again", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  const config = new AdapterDropConfig({ reductionFactor: 4, modulesToSave: ["classifier"] });
  const model = getPeftModel(base, config);
  const { tensors } = await readGolden("methods/bert_adapterdrop_drawn/io.safetensors");
  const { feeds, rules } = model.prepareInputs(inputsFor(base, tensors, true));
  const program = await model.runner.trainingProgram(rules);
  const parameters = model.runner.trainedParameters().map(({ name }) => ({ name, weightDecay: 0 }));
  const optimizer = await (await model.runner.engine()).createOptimizer({ optimizer: "adamw", parameters });
  const normsAt = async (step: number): Promise<number[]> => {
    await optimizer.zeroGrad();
    await program.accumulate(feeds, { masks: { seed: 7, step, microStep: 0 } });
    const gradients = Object.entries(await program.gradients());
    return [0, 1].map((layer) => {
      const own = gradients.filter(([name]) => name.includes(`layer.${layer}.adapter_up`));
      expect(own).toHaveLength(2);
      return Math.hypot(...own.flatMap(([, { data }]) => [...(data as Float32Array)]));
    });
  };
  const drawn = [];
  for (let step = 0; step < 24; step++) drawn.push(await normsAt(step));
  expect(drawn.every(([, last]) => (last as number) > 0)).toBe(true);
  const skipped = drawn.filter(([first]) => first === 0).length;
  expect(skipped).toBeGreaterThan(4);
  expect(skipped).toBeLessThan(20);
  expect(await normsAt(3)).toEqual(drawn[3]);
});

test("leaving out every layer is refused", async () => {
  const base = await loadGoldenModel("bert_seqcls");
  onTestFinished(() => base.dispose());
  expect(() => getPeftModel(base, new AdapterDropConfig({ reductionFactor: 4, skipLayers: 2 }))).toThrow(/2 layers/);
  expect(() => new AdapterDropConfig({ skipLayers: -1 })).toThrow(/skipLayers is -1/);
});
