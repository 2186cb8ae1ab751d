import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { AutoModel, AutoModelForCausalLM, AutoModelForImageClassification } from "graft-peft";
import { expect, test } from "vitest";
import { readParameter } from "#graft/models/index";
import { type TensorData, toFloat32 } from "#graft/tensor-data";
import { maxDifference, readTensors } from "./golden.js";

const assets = fileURLToPath(new URL("../../../shared/assets/models", import.meta.url));
const TOLERANCE = 1e-4;

const golden = (name: string) =>
  readTensors(fileURLToPath(new URL(`../golden/assets/${name}.safetensors`, import.meta.url)));

/** Each pixel repeated `factor` times along both axes. */
function enlarge({ shape, data }: TensorData, factor: number): TensorData<"float32"> {
  const [rows, channels, height, width] = shape as [number, number, number, number];
  const large = new Float32Array(data.length * factor * factor);
  for (let i = 0; i < large.length; i++) {
    const [y, x] = [Math.floor(i / (width * factor)), i % (width * factor)];
    large[i] = Number(data[Math.floor(y / factor) * width + Math.floor(x / factor)]);
  }
  return { dtype: "float32", shape: [rows, channels, height * factor, width * factor], data: large };
}

/** Where the models are not beside the repository the test says so in its own name. */
const suffix = (name: string) => (existsSync(`${assets}/${name}`) ? "" : " (left out: no ../shared/assets/models)");

for (const name of ["all-MiniLM-L6-v2", "bert-rnabert", "roberta-from-rnabert", "deberta-v2-from-rnabert"]) {
  test.runIf(suffix(name) === "")(
    `${name}: transformers' hidden state, and pooled output where there is one${suffix(name)}`,
    async () => {
      const io = await golden(name);
      const model = await AutoModel.fromPretrained(`${assets}/${name}`, { threads: 1, onReport: () => {} });
      const inputs = { inputIds: io.get("input_ids")!, attentionMask: io.get("attention_mask")! };
      const { lastHiddenState, poolerOutput } = await model(inputs);
      const [rows, sequence, features] = lastHiddenState.shape as [number, number, number];
      const first = Float32Array.from({ length: rows * features }, (_, i) =>
        Number(lastHiddenState.data[Math.floor(i / features) * sequence * features + (i % features)]),
      );
      const firstState: TensorData = { dtype: "float32", shape: [rows, features], data: first };
      expect(maxDifference(firstState, io.get("first_hidden_state"))).toBeLessThan(TOLERANCE);
      expect(poolerOutput === undefined).toBe(!io.has("pooler_output"));
      if (poolerOutput) expect(maxDifference(poolerOutput, io.get("pooler_output"))).toBeLessThan(TOLERANCE);
      await model.dispose();
    },
  );
}

for (const [name, size] of [
  ["vit-tiny-tinyimagenet", 224],
  ["vit-mnist-classifier", 28],
] as const) {
  test.runIf(suffix(name) === "")(`${name}: transformers' logits${suffix(name)}`, async () => {
    const io = await golden(name);
    const small = io.get("small_pixels")!;
    const model = await AutoModelForImageClassification.fromPretrained(`${assets}/${name}`, { threads: 1 });
    const { logits } = await model({ pixelValues: enlarge(small, size / small.shape[2]!) });
    expect(maxDifference(logits, io.get("logits"))).toBeLessThan(TOLERANCE);
    await model.dispose();
  });
}

const norm = (values: Float32Array) => Math.hypot(...values);

for (const name of ["gpt2-char-shakespeare", "llama-stories260K"]) {
  test.runIf(suffix(name) === "")(`${name}: transformers' logits, loss and gradients${suffix(name)}`, async () => {
    const io = await golden(name);
    const model = await AutoModelForCausalLM.fromPretrained(`${assets}/${name}`, { threads: 1 });
    const [inputIds, attentionMask, labels] = [io.get("input_ids")!, io.get("attention_mask")!, io.get("labels")!];
    const { logits, loss } = await model({ inputIds, attentionMask, labels });
    const wanted = io.get("first_logits")!;
    const vocabulary = logits.shape[2] as number;
    const first = Float32Array.from({ length: wanted.data.length }, (_, i) => {
      const place = Math.floor(i / 16);
      return Number(attentionMask.data[place]) * (logits.data[place * vocabulary + (i % 16)] as number);
    });
    expect(maxDifference({ dtype: "float32", shape: wanted.shape, data: first }, wanted)).toBeLessThan(TOLERANCE);
    expect(Math.abs((loss as number) - Number(io.get("loss")!.data[0]))).toBeLessThan(1e-5);

    const config = { ...model.config.raw, attn_pdrop: 0, embd_pdrop: 0, resid_pdrop: 0 };
    const plain = AutoModelForCausalLM.fromConfig(config, { threads: 1 });
    for (const [key, parameter] of plain.namedParameters()) {
      parameter.setData(await readParameter(model.namedParameters().find(([one]) => one === key)![1]));
    }
    await model.dispose();
    const { feeds, rules } = plain.prepareInputs({ inputIds, attentionMask, labels });
    const program = await plain.runner.trainingProgram(rules);
    await program.accumulate(feeds);
    const gradients = await program.gradients();
    const keys = [...io.keys()].filter((key) => key.startsWith("grad."));
    expect(keys.length).toBeGreaterThan(5);
    for (const key of keys) {
      const [actual, expected] = [toFloat32(gradients[key.slice(5)]!), toFloat32(io.get(key)!)];
      const error = norm(actual.map((value, i) => value - (expected[i] as number)));
      expect(error, key).toBeLessThan(TOLERANCE * norm(expected));
    }
    await plain.dispose();
  });
}
