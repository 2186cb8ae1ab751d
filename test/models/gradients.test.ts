import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AutoModelForSequenceClassification } from "graft-peft";
import { expect, onTestFinished, test } from "vitest";
import { toFloat32 } from "#graft/tensor-data";
import { copyOf } from "./folder.js";
import { inputsOf, readTensors } from "./golden.js";
import { autoClassOf, goldenClassifiers } from "./registry.js";

const goldenPath = (name: string) => fileURLToPath(new URL(`../golden/gradients/${name}.safetensors`, import.meta.url));
/** Those of which there are gradients; `registry.test.ts` sees to it that each architecture and head has some. */
const classifiers = goldenClassifiers.filter(({ name }) => existsSync(goldenPath(name)));
const goldenFile = (name: string) => readTensors(goldenPath(name));
const withoutDropout = {
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  classifier_dropout: 0,
  embd_pdrop: 0,
  attn_pdrop: 0,
  resid_pdrop: 0,
};
const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

test.each(classifiers)("$name: the gradient of every parameter is PyTorch's", async ({ name, head }) => {
  const folder = await copyOf(name, withoutDropout);
  const model = await autoClassOf(head).fromPretrained(folder, { threads: 1 });
  onTestFinished(() => model.dispose());
  const io = await readTensors(`${folder}/io.safetensors`);
  const golden = await goldenFile(name);
  const { feeds, rules } = model.prepareInputs({ ...inputsOf(io), labels: io.get("labels")! });
  const program = await model.runner.trainingProgram(rules);
  await program.accumulate(feeds);
  const gradients = await program.gradients();
  expect(Object.keys(gradients).sort()).toEqual([...golden.keys()].sort());
  const total = norm(Float32Array.from([...golden.values()].map((tensor) => norm(toFloat32(tensor)))));
  for (const [key, tensor] of golden) {
    const [actual, expected] = [toFloat32(gradients[key]!), toFloat32(tensor)];
    expect(gradients[key]!.shape).toEqual(tensor.shape);
    const error = norm(actual.map((value, i) => value - (expected[i] as number)));
    // Relative to the tensor's own norm; a key's bias has none but rounding (softmax ignores it), hence the second term.
    expect(error, key).toBeLessThan(1e-5 * norm(expected) + 1e-6 * total);
  }
});

test.each(["bert_seqcls", "roberta_seqcls"])(
  "%s: padding that attention sees trains no vector of padding",
  async (name) => {
    const model = await AutoModelForSequenceClassification.fromPretrained(await copyOf(name, withoutDropout), {
      threads: 1,
    });
    onTestFinished(() => model.dispose());
    const golden = await goldenFile("padding");
    const inputs = { inputIds: golden.get(`${name}.input_ids`)!, labels: golden.get("labels")! };
    const { feeds, rules } = model.prepareInputs(inputs);
    const program = await model.runner.trainingProgram(rules);
    await program.accumulate(feeds);
    const gradients = await program.gradients();
    const tables = [...golden.keys()].filter((key) => key.startsWith(`${name}.`) && key.endsWith("weight"));
    expect(tables).toHaveLength(3);
    for (const key of tables) {
      const actual = toFloat32(gradients[key.slice(name.length + 1)]!);
      const expected = toFloat32(golden.get(key)!);
      const error = norm(actual.map((value, i) => value - (expected[i] as number)));
      expect(error, key).toBeLessThan(1e-5 * norm(expected));
    }
  },
);
