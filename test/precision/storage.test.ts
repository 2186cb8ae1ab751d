import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  createTrainingSession,
  getPeftModel,
  Int8Precision,
  LoraConfig,
} from "graft-peft";
import { expect, it, onTestFinished } from "vitest";
import { probeProducts } from "#graft/precision/int8/probe";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { fromFloat32, toFloat32 } from "#graft/tensor-data";

const config = {
  model_type: "bert",
  vocab_size: 100,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  max_position_embeddings: 32,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  initializer_range: 0.2,
};
const inputs = { inputIds: [[1, 2, 3, 4, 5, 6, 7, 8]], labels: [1] };

/** A folder whose weights are bfloat16. */
async function halfFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "graft-storage-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await AutoModelForSequenceClassification.fromConfig(config, { seed: 3 }).savePretrained(folder);
  const path = join(folder, "model.safetensors");
  const tensors = [...(await readAllTensors(await openSafetensors(path)))].map(([name, tensor]) => {
    const half = { dtype: "bfloat16", shape: tensor.shape, data: fromFloat32("bfloat16", toFloat32(tensor)) } as const;
    return [name, { ...half, load: async () => half }] as const;
  });
  await writeSafetensors(path, new Map(tensors), { format: "pt" });
  return folder;
}

it("int8 makes the same weights of half-precision ones, whether these were converted or not", async () => {
  const folder = await halfFolder();
  const trained = async (storageDtype: "float32" | "auto") => {
    const base = await AutoModelForSequenceClassification.fromPretrained(folder, { threads: 1, storageDtype });
    const model = getPeftModel(base, new LoraConfig({ r: 4, targetModules: ["query"], initLoraWeights: false }));
    const probes = await probeProducts(model.runner, model.prepareInputs(inputs), { seed: 0, step: 0, microStep: 0 });
    const report = { used: "int8", reason: "", products: [] } as const;
    const session = createTrainingSession(model, { optimizer: "sgd", frozenPrecision: new Int8Precision({ report }) });
    const { loss } = await session.forwardBackward(inputs);
    const gradients = await session.gradients();
    expect(model.runner.trainsInFloat32).toBe(false);
    await model.dispose();
    return { probes, loss, gradients };
  };
  const converted = await trained("float32");
  expect(converted.probes.length).toBeGreaterThan(18);
  const stored = await trained("auto");
  expect([stored.probes, stored.gradients]).toEqual([converted.probes, converted.gradients]);
  // The head is float32: beside int8 products its constants are packed, which casts are not, and sums differ in order.
  expect(stored.loss).toBeCloseTo(converted.loss, 5);
});
