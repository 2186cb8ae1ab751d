import { cp } from "node:fs/promises";
import { join } from "node:path";
import {
  AutoModelForSequenceClassification,
  createTrainingSession,
  getPeftModel,
  type Int8Precision,
  LoraConfig,
  PeftModel,
  type PreTrainedModel,
  platform,
} from "graft-peft";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { fromFloat32, type TensorData, toFloat32 } from "#graft/tensor-data";
import { temporaryFolder } from "./folder.js";
import { goldenFolder, inputsOf, readTensors } from "./golden.js";

const name = "bert_seqcls";
const io = await readTensors(`${goldenFolder(name)}/io.safetensors`);
const inputs = { ...inputsOf(io), labels: io.get("labels")! };

/** A golden model with its tensors in half precision: biases in float16, all else in bfloat16. */
async function halfFolder(): Promise<string> {
  const folder = await temporaryFolder();
  await cp(goldenFolder(name), folder, { recursive: true });
  await rewriteInHalf(join(folder, "model.safetensors"));
  return folder;
}

async function rewriteInHalf(path: string): Promise<void> {
  const tensors = await readAllTensors(await openSafetensors(path));
  const half = [...tensors].map(([key, tensor]): [string, TensorData] => {
    const dtype = key.endsWith("bias") ? "float16" : "bfloat16";
    return [key, { dtype, shape: tensor.shape, data: fromFloat32(dtype, toFloat32(tensor)) }];
  });
  const sources = half.map(([key, tensor]) => [key, { ...tensor, load: async () => tensor }] as const);
  await writeSafetensors(path, new Map(sources), { format: "pt" });
}

async function load(folder: string, storageDtype?: "float32" | "auto"): Promise<PreTrainedModel> {
  const options = { threads: 1, onReport: () => {}, ...(storageDtype && { storageDtype }) };
  const model = await AutoModelForSequenceClassification.fromPretrained(folder, options);
  onTestFinished(() => model.dispose());
  return model;
}

const config = new LoraConfig({ taskType: "SEQ_CLS", r: 4, targetModules: ["query"], initLoraWeights: false });

/** Losses of three updates of a new adapter. */
async function losses(base: PreTrainedModel, frozenPrecision: "f32" | Int8Precision = "f32"): Promise<number[]> {
  const model = getPeftModel(base, config, { seed: 2 });
  const session = createTrainingSession(model, { optimizer: "sgd", frozenPrecision });
  const found: number[] = [];
  for (let step = 0; step < 3; step++) {
    found.push((await session.forwardBackward(inputs)).loss);
    await session.optimizerStep({ learningRate: 0.1 });
  }
  return found;
}

describe('storageDtype "auto"', () => {
  it("keeps half-precision weights in their file; they predict and train as those that were converted, to the bit", async () => {
    const folder = await halfFolder();
    const [converted, stored] = [await load(folder), await load(folder, "auto")];
    for (const [key, { source, storage }] of stored.namedParameters()) {
      expect(source.kind, key).toBe("file");
      expect(storage, key).toBe(key.endsWith("bias") ? "float16" : "bfloat16");
    }
    expect(await stored(inputs)).toEqual(await converted(inputs));
    const expected = await losses(converted);
    expect(await losses(stored)).toEqual(expected);
    expect(new Set(expected).size).toBe(3);
  });

  it("holds them in memory as they are where there is no file to map", async () => {
    const folder = await halfFolder();
    const converted = await load(folder);
    const node = vi.spyOn(platform, "name", "get").mockReturnValue("web");
    const stored = await load(folder, "auto").finally(() => node.mockRestore());
    const kept = stored.namedParameters().map(([, { source }]) => source.kind === "memory" && source.data.dtype);
    expect(new Set(kept)).toEqual(new Set(["float16", "bfloat16"]));
    expect(await stored(inputs)).toEqual(await converted(inputs));
  });

  it("trains whole models in float32, merges and saves in float32", async () => {
    const folder = await halfFolder();
    const updated = async (model: PreTrainedModel) => {
      const session = createTrainingSession(model, { optimizer: "sgd" });
      await session.forwardBackward(inputs);
      await session.optimizerStep({ learningRate: 0.1 });
      return model(inputs);
    };
    expect(await updated(await load(folder, "auto"))).toEqual(await updated(await load(folder)));
    const merged = async (model: PreTrainedModel) => (await getPeftModel(model, config).mergeAndUnload())(inputs);
    expect(await merged(await load(folder, "auto"))).toEqual(await merged(await load(folder)));
    const stored = await load(folder, "auto");
    const before = await stored(inputs);
    await stored.savePretrained(folder);
    const { entries } = await openSafetensors(join(folder, "model.safetensors"));
    expect(new Set([...entries.values()].map(({ dtype }) => dtype))).toEqual(new Set(["float32"]));
    expect(await stored(inputs)).toEqual(before);
    expect(await (await load(folder))(inputs)).toEqual(before);
  });
});

describe("adapters in half precision", () => {
  it("compute and are saved in float32", async () => {
    const [target, saved] = [await temporaryFolder(), await temporaryFolder()];
    await cp(goldenFolder("../peft/bert_default"), target, { recursive: true });
    const path = join(target, "adapter_model.safetensors");
    await rewriteInHalf(path);
    const half = await readAllTensors(await openSafetensors(path));
    const model = await PeftModel.fromPretrained(await load(goldenFolder(name)), target, { onWarning: () => {} });
    await model.savePretrained(saved);
    const written = await readAllTensors(await openSafetensors(join(saved, "adapter_model.safetensors")));
    expect(written.size).toBe(half.size);
    for (const { dtype } of written.values()) expect(dtype).toBe("float32");
    const values = (tensors: Map<string, TensorData>) =>
      [...tensors.values()].map(toFloat32).map((data) => data.join());
    expect(values(written).sort()).toEqual(values(half).sort());
    expect((await model(inputs)).logits).toEqual(
      (await (await PeftModel.fromPretrained(await load(goldenFolder(name)), saved))(inputs)).logits,
    );
  });
});
