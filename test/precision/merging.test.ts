import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  createTrainingSession,
  getPeftModel,
  Int8Precision,
  LoraConfig,
  PeftModel,
} from "graft-peft";
import { expect, it, onTestFinished } from "vitest";
import { readParameter, readSource } from "#graft/models/index";

const config = {
  model_type: "bert",
  vocab_size: 100,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 32,
  initializer_range: 0.2,
};
const batch = { inputIds: [[1, 2, 3, 4, 5, 6, 7, 8]], labels: [1] };

function base() {
  const model = AutoModelForSequenceClassification.fromConfig(config, { numLabels: 2, seed: 3, threads: 1 });
  onTestFinished(() => model.dispose());
  return model;
}

/** Two updates with all frozen products in int8. */
async function trainedInInt8(useDora: boolean): Promise<PeftModel> {
  const lora = new LoraConfig({ taskType: "SEQ_CLS", r: 4, targetModules: ["query", "output.dense"], useDora });
  const model = getPeftModel(base(), lora, { seed: 5 });
  const frozenPrecision = new Int8Precision({ report: { used: "int8", reason: "", products: [] } });
  const session = createTrainingSession(model, { optimizer: "adamw", frozenPrecision });
  for (let step = 0; step < 2; step++) {
    await session.forwardBackward(batch);
    await session.optimizerStep({ learningRate: 0.01 });
  }
  expect(model.runner.trainsInFloat32).toBe(false);
  return model;
}

/** The merged elements of all parameters that merging changes, by name. */
async function merged(model: PeftModel): Promise<Map<string, Float32Array>> {
  await model.mergeAdapter();
  const weights = new Map<string, Float32Array>();
  for (const parameter of model.network.parameters()) {
    if (parameter.adjustments.length > 0) weights.set(parameter.name, (await readParameter(parameter)).data);
  }
  model.unmergeAdapter();
  return weights;
}

for (const useDora of [false, true]) {
  const name = useDora ? "DoRA" : "LoRA";

  it(`${name}: an adapter trained in int8 is merged into the float32 weights, as without int8`, async () => {
    const model = await trainedInInt8(useDora);
    const folder = await mkdtemp(join(tmpdir(), "graft-merge-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await model.savePretrained(folder);
    const plain = await PeftModel.fromPretrained(base(), folder);
    const weights = await merged(model);
    expect(weights.size).toBe(6);
    expect(weights).toEqual(await merged(plain));
  });
}

it("DoRA: norms and merged weights are those of the float32 weights", async () => {
  const model = await trainedInInt8(true);
  await model.runner.syncFromEngine();
  const own = new Map(model.namedParameters());
  const path = "bert.encoder.layer.1.attention.self.query";
  const read = async (part: string) => (await readSource(own.get(`${path}.${part}`)!)).data;
  const [a, b, magnitude, weight] = [
    await read("lora_A.default.weight"),
    await read("lora_B.default.weight"),
    await read("lora_magnitude_vector.default"),
    await read("weight"),
  ];
  const [size, rank] = [64, 4];
  const scale = 8 / rank;
  const found = (await merged(model)).get(`${path}.weight`)!;
  for (let row = 0; row < size; row++) {
    const sums = Array.from({ length: size }, (_, column) => {
      let update = 0;
      for (let k = 0; k < rank; k++) update += b[row * rank + k]! * a[k * size + column]!;
      return weight[row * size + column]! + scale * update;
    });
    const factor = magnitude[row]! / Math.hypot(...sums);
    for (const [column, sum] of sums.entries()) expect(found[row * size + column]).toBeCloseTo(factor * sum, 6);
  }
});
