import { afterAll, describe, expect, test, vi } from "vitest";
import type { Parameter } from "#graft/nn/index";
import { Linear } from "#graft/peft/loralib/index";
import { Engine } from "#graft/runtime/index";
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

test("a program is compiled once for each mode, whatever the rows and weights, and anew after dispose", async () => {
  const compile = vi.spyOn(Engine.prototype, "compile");
  const layer = new Linear(4, 3, { r: 2, loraDropout: 0.5, bias: false, threads: 1 });
  layers.push(layer);
  const ones = (rows: number): Float32Tensor => ({
    dtype: "float32",
    shape: [rows, 4],
    data: new Float32Array(4 * rows).fill(1),
  });
  const weightSums = () => {
    const { data } = elements(layer.weight);
    return [0, 1, 2].map((row) => data.slice(4 * row, 4 * row + 4).reduce((sum, value) => sum + value, 0));
  };
  const expectSums = ({ shape, data }: Float32Tensor, rows: number) => {
    expect(shape).toEqual([rows, 3]);
    for (let at = 0; at < data.length; at++) expect(data[at]).toBeCloseTo(weightSums()[at % 3] as number, 5);
  };
  await Promise.all([layer.forward(ones(1)), layer.forward(ones(2))]);
  expect(compile).toHaveBeenCalledTimes(1);
  layer.eval();
  expectSums(await layer.forward(ones(5)), 5);
  expect(compile).toHaveBeenCalledTimes(2);
  layer.weight.setData({ dtype: "float32", shape: [3, 4], data: Float32Array.from({ length: 12 }, (_, i) => i) });
  expectSums(await layer.forward(ones(2)), 2);
  layer.train();
  await layer.forward(ones(3));
  layer.eval();
  await layer.forward(ones(3));
  expect(compile).toHaveBeenCalledTimes(2);
  await layer.dispose();
  expectSums(await layer.forward(ones(1)), 1);
  expect(compile).toHaveBeenCalledTimes(3);
  compile.mockRestore();
});

test("a call computes with the weights of its moment", async () => {
  const layer = new Linear(4, 3, { r: 2, seed: 1, threads: 1 });
  layers.push(layer);
  const x = { dtype: "float32", shape: [1, 4], data: Float32Array.of(1, 2, 3, 4) } as const;
  const b = layer.loraB!;
  b.setData({ dtype: "float32", shape: b.shape, data: new Float32Array(6).fill(1) });
  const beside = await layer.forward(x);
  await layer.dispose();
  const waiting = layer.forward(x);
  b.setData({ dtype: "float32", shape: b.shape, data: new Float32Array(6) });
  layer.eval();
  expect(await waiting).toEqual(beside);
});

test("options out of range are refused", () => {
  expect(() => new Linear(4, 4, { r: -1 })).toThrow("r is -1");
  for (const size of [0, -1, 2.5, Number.NaN]) {
    expect(() => new Linear(size, 3)).toThrow(`a linear layer from ${size} to 3 features`);
    expect(() => new Linear(3, size)).toThrow(`a linear layer from 3 to ${size} features`);
  }
});
