import { spawnSync } from "node:child_process";
import { AutoModelForSequenceClassification, FullConfig, getPeftModel, LoraConfig, type PeftModel } from "graft-peft";
import { describe, expect, test } from "vitest";
import { executionOrder } from "#graft/analysis/estimate/order";
import { walkStep } from "#graft/analysis/estimate/walk";
import { estimateStep } from "#graft/analysis/index";
import type { GraphProto } from "#graft/onnx/index";
import { stepFlops } from "../../bench/flops.js";

const config = {
  model_type: "bert",
  vocab_size: 2000,
  hidden_size: 256,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  intermediate_size: 1024,
  max_position_embeddings: 128,
  num_labels: 2,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
};
const lora = { r: 8, targetModules: ["query", "value"], modulesToSave: ["classifier"] };

function shapes(): PeftModel {
  const model = AutoModelForSequenceClassification.fromConfig(config, { withWeights: false });
  return getPeftModel(model, new LoraConfig(lora), { withWeights: false });
}

const node = (name: string, opType: string, input: string[]): GraphProto["node"][number] => ({
  name,
  opType,
  domain: "",
  input,
  output: [name],
  attribute: [],
});
const value = (name: string, ...shape: (number | string)[]) => ({ name, dtype: "float32" as const, shape });

/** y = (x w)^2 + x w: the product lives until both readers are done. */
const small: GraphProto = {
  name: "small",
  node: [
    node("product", "MatMul", ["x", "w"]),
    node("square", "Mul", ["product", "product"]),
    node("sum", "Add", ["square", "product"]),
    node("y", "Identity", ["sum"]),
  ],
  initializer: [{ name: "w", dtype: "float32", dims: [5, 10] }],
  input: [value("x", "batch", 5)],
  output: [value("y", "batch", 10)],
  valueInfo: [value("product", "batch", 10), value("square", "batch", 10), value("sum", "batch", 10)],
};

describe("a step, played through", () => {
  const walk = walkStep({ graph: small, sizes: { batch: 3 }, fed: new Set(), quantized: [] });

  test("the most that is alive: the product and its square; the sum lies where the square was", () => {
    expect(walk.peakBytes).toBe(2 * 3 * 10 * 4);
  });
  test("the arithmetic of products: 2 m k n", () => {
    expect(walk.flops).toEqual({ frozen: 2 * 3 * 5 * 10, trained: 0, activations: 0 });
  });
  test("weights that are read", () => {
    expect(walk.weightBytes).toEqual({ whole: 4 * 50, gathered: 0 });
  });
  test("nodes run when what they read is there, the last leaf first", () => {
    const leaves = { node: [node("a", "Neg", ["x"]), node("b", "Neg", ["a"]), node("c", "Neg", ["x"])] };
    expect(executionOrder(leaves).map(({ name }) => name)).toEqual(["c", "a", "b"]);
  });
});

test("the arithmetic of a step of BERT is the benchmark's, which counts by hand", () => {
  const { flops } = estimateStep(shapes(), { batch: 8, sequence: 64 });
  const shape = { hidden: 256, inner: 1024, layers: 4, tokens: 64, patch: 0 };
  const byHand = stepFlops(shape, { kind: "text", batch: 8, rank: 8, alpha: 8, labels: 2 });
  expect(flops.step / byHand).toBeGreaterThan(0.99);
  expect(flops.step / byHand).toBeLessThan(1.01);
});

test("full fine-tuning keeps gradients and moments of all weights, and its step costs half as much again", () => {
  const model = AutoModelForSequenceClassification.fromConfig(config, { withWeights: false });
  const full = getPeftModel(model, new FullConfig(), { withWeights: false });
  const [all] = full.getNbTrainableParameters();
  const { memory, flops } = estimateStep(full, { batch: 8, sequence: 64 });
  expect(memory.gradients).toBe(4 * all);
  expect(memory.optimizer).toBe(8 * all);
  const frozen = estimateStep(shapes(), { batch: 8, sequence: 64 });
  expect(flops.step / frozen.flops.step).toBeGreaterThan(1.35);
  expect(flops.step / frozen.flops.step).toBeLessThan(1.7);
});

test("twice the rows take twice the activations, and nothing else more than the batch", () => {
  const [one, two] = [8, 16].map((batch) => estimateStep(shapes(), { batch, sequence: 64 }).memory);
  expect(two!.activations / one!.activations).toBeGreaterThan(1.9);
  expect(two!.activations / one!.activations).toBeLessThan(2.05);
  expect(two!.optimizer).toBe(one!.optimizer);
});

// In a process of its own, since the peak is the process's.
const program = `
import { AutoModelForSequenceClassification, createTrainingSession, getPeftModel, LoraConfig, platform } from "graft-peft";
const [config, lora, batch, sequence] = JSON.parse(process.argv[1]);
const model = getPeftModel(AutoModelForSequenceClassification.fromConfig(config, { threads: 1 }), new LoraConfig(lora));
const session = createTrainingSession(model);
const rows = Array.from({ length: batch }, () => Array.from({ length: sequence }, (_, at) => 1 + at));
for (let step = 0; step < 2; step++) {
  await session.forwardBackward({ inputIds: rows, attentionMask: rows.map((row) => row.map(() => 1)), labels: rows.map(() => 0) });
  await session.optimizerStep({ learningRate: 1e-3 });
}
console.log(platform.memoryUsage().peakRss);
await model.dispose();
`;

test.skipIf(process.platform !== "linux")(
  "the predicted peak is within 15 % of the measured one",
  () => {
    const [batch, sequence] = [64, 128];
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--input-type=module", "-e", program, JSON.stringify([config, lora, batch, sequence])],
      { encoding: "utf8", cwd: new URL("../..", import.meta.url) },
    );
    const measured = Number(stdout.trim());
    expect(measured, stderr).toBeGreaterThan(0);
    const { peak } = estimateStep(shapes(), { batch, sequence }).memory;
    console.log(`peak memory: predicted ${(peak / 1e6).toFixed(0)} MB, measured ${(measured / 1e6).toFixed(0)} MB`);
    expect(Math.abs(peak / measured - 1)).toBeLessThan(0.15);
  },
  120_000,
);
