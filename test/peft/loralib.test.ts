import { afterAll, describe, expect, test } from "vitest";
import type { Parameter } from "#graft/nn/index";
import { Linear } from "#graft/peft/loralib";
import type { TensorData } from "#graft/tensor-data";
import { readGolden, relativeL2 } from "./numbers.js";

type Float32Tensor = TensorData<"float32">;

const optionNames: Readonly<Record<string, string>> = {
  r: "r",
  lora_alpha: "loraAlpha",
  fan_in_fan_out: "fanInFanOut",
  merge_weights: "mergeWeights",
  bias: "bias",
};

function elements(parameter: Parameter): Float32Tensor {
  if (parameter.source.kind !== "memory") throw new Error("not in memory");
  return parameter.source.data as Float32Tensor;
}

const layers: Linear[] = [];
afterAll(() => Promise.all(layers.map((layer) => layer.dispose())));

describe.each(["plain", "fan_in_fan_out", "not_merged", "no_bias", "rank_0"])("lora.Linear, %s", (name) => {
  async function make() {
    const { file, tensors } = await readGolden(`loralib/${name}.safetensors`);
    const options = Object.entries(JSON.parse(file.metadata.options ?? "{}"));
    const layer = new Linear(24, 16, {
      ...Object.fromEntries(options.map(([key, value]) => [optionNames[key], value])),
      threads: 1,
    });
    layers.push(layer);
    const parameters = { weight: layer.weight, bias: layer.bias, lora_A: layer.loraA, lora_B: layer.loraB };
    for (const [key, parameter] of Object.entries(parameters)) parameter?.setData(tensors.get(key) as Float32Tensor);
    return { layer, tensors, x: tensors.get("x") as Float32Tensor };
  }

  test("training, evaluation and training again are loralib's", async () => {
    const { layer, tensors, x } = await make();
    expect(layer.training).toBe(true);
    expect(relativeL2(await layer.forward(x), tensors.get("train"))).toBeLessThan(1e-6);
    layer.eval();
    expect(relativeL2(elements(layer.weight), tensors.get("merged_weight"))).toBeLessThan(1e-7);
    expect(relativeL2(await layer.forward(x), tensors.get("eval"))).toBeLessThan(1e-6);
    layer.train();
    expect(layer.merged).toBe(false);
    expect(relativeL2(elements(layer.weight), tensors.get("unmerged_weight"))).toBeLessThan(1e-7);
    expect(relativeL2(await layer.forward(x), tensors.get("train"))).toBeLessThan(1e-6);
  });
});

test("dropout acts in training only", async () => {
  const layer = new Linear(8, 8, { r: 2, loraDropout: 0.5, threads: 1 });
  layers.push(layer);
  layer.loraB?.setData({ dtype: "float32", shape: [8, 2], data: new Float32Array(16).fill(0.5) });
  const x: Float32Tensor = {
    dtype: "float32",
    shape: [4, 8],
    data: Float32Array.from({ length: 32 }, (_, i) => i / 32),
  };
  const [first, second] = [await layer.forward(x), await layer.forward(x)];
  expect(relativeL2(first, second)).toBeGreaterThan(1e-3);
  layer.eval();
  expect(relativeL2(await layer.forward(x), await layer.forward(x))).toBe(0);
});

test("options out of range are refused", () => {
  expect(() => new Linear(4, 4, { r: -1 })).toThrow("r is -1");
});
