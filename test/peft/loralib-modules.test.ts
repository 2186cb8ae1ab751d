import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test, vi } from "vitest";
import { LayerNorm, Module, type Parameter, Linear as PlainLinear } from "#graft/nn/index";
import * as lora from "#graft/peft/loralib/index";
import { Engine } from "#graft/runtime/index";
import type { TensorData } from "#graft/tensor-data";
import { namesIn } from "./method-goldens.js";
import { goldenPath, readGolden, relativeL2 } from "./numbers.js";

type Float32Tensor = TensorData<"float32">;
type Layer = lora.LoRALayer<TensorData>;

const classes = { Embedding: lora.Embedding, MergedLinear: lora.MergedLinear, Conv2d: lora.Conv2d };
const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

const layers: { dispose(): Promise<void> }[] = [];
afterAll(() => Promise.all(layers.map((layer) => layer.dispose())));

function elements(parameter: Parameter | undefined): Float32Tensor {
  if (parameter?.source.kind !== "memory") throw new Error("not in memory");
  return parameter.source.data as Float32Tensor;
}

const goldens = namesIn("loralib").filter((name) => /^(embedding|merged_linear|conv2d)/.test(name));
const results = ["x", "train", "gradOut", "merged_weight", "eval", "unmerged_weight"];

describe.each(goldens)("%s", (name) => {
  async function make() {
    const { file, tensors } = await readGolden(`loralib/${name}`);
    const { class: kind = "", sizes = "[]", options = "{}" } = file.metadata;
    const given = Object.entries(JSON.parse(options)).map(([key, value]) => [camel(key), value]);
    const Class = classes[kind as keyof typeof classes] as new (...args: unknown[]) => Layer;
    const layer = new Class(...JSON.parse(sizes), { ...Object.fromEntries(given), threads: 1 });
    layers.push(layer);
    const parameters = lora.namedParameters(layer);
    for (const [key, parameter] of parameters) parameter.setData(tensors.get(key) as Float32Tensor);
    const weight = parameters.get("weight") ?? parameters.get("conv.weight");
    const wanted = [...tensors.keys()].filter((key) => !results.includes(key) && !key.startsWith("grad."));
    expect([...parameters.keys()].sort()).toEqual(wanted.sort());
    return { layer, tensors, weight, x: tensors.get("x") as TensorData };
  }

  test("training, evaluation and training again are loralib's", async () => {
    const { layer, tensors, weight, x } = await make();
    const train = await layer.forward(x);
    expect(train.shape).toEqual(tensors.get("train")?.shape);
    expect(relativeL2(train, tensors.get("train"))).toBeLessThan(1e-6);
    layer.eval();
    expect(relativeL2(elements(weight), tensors.get("merged_weight"))).toBeLessThan(1e-7);
    expect(relativeL2(await layer.forward(x), tensors.get("eval"))).toBeLessThan(1e-6);
    layer.train();
    expect(layer.merged).toBe(false);
    expect(relativeL2(elements(weight), tensors.get("unmerged_weight"))).toBeLessThan(1e-7);
    expect(relativeL2(await layer.forward(x), tensors.get("train"))).toBeLessThan(1e-6);
  });

  test("gradients are PyTorch's", async () => {
    const { layer, tensors, x } = await make();
    const found = await layer.gradients(x, tensors.get("gradOut") as Float32Tensor);
    const wanted = [...tensors].filter(([key]) => key.startsWith("grad."));
    const names = Object.keys(found).filter((key) => key !== "x");
    expect(names.sort()).toEqual(wanted.map(([key]) => key.replace("grad.", "")).sort());
    for (const [key, tensor] of wanted) {
      expect(relativeL2(found[key.replace("grad.", "")], tensor), key).toBeLessThan(1e-6);
    }
  });
});

test("the gradient of the input is the transposed layer's output", async () => {
  const layer = new lora.Linear(3, 2, { r: 1, loraDropout: 0.5, bias: false, threads: 1 });
  layers.push(layer);
  layer.loraA?.setData({ dtype: "float32", shape: [1, 3], data: Float32Array.of(1, 2, 3) });
  layer.loraB?.setData({ dtype: "float32", shape: [2, 1], data: Float32Array.of(1, -1) });
  const x: Float32Tensor = { dtype: "float32", shape: [1, 3], data: Float32Array.of(1, 1, 1) };
  const y = await layer.forward(x);
  const gradOutput: Float32Tensor = { dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 0) };
  const { x: gradient, lora_A: a } = await layer.gradients(x, gradOutput);
  // Of the same dropout as the forward pass: what it kept of x is what A's gradient sees.
  const weight = elements(layer.weight).data;
  const kept = (a as Float32Tensor).data;
  const down = kept[0]! * 1 + kept[1]! * 2 + kept[2]! * 3;
  expect(y.data[0]).toBeCloseTo(weight[0]! + weight[1]! + weight[2]! + down, 5);
  for (const i of [0, 1, 2]) expect(gradient?.data[i]).toBeCloseTo(weight[i]! + kept[i]! * (i + 1), 5);
  await expect(layer.gradients(x, x)).rejects.toThrow("gradOutput is [1,3]");
});

test("layers share one engine, which ends with the last of them", async () => {
  const create = vi.spyOn(Engine, "create");
  const first = new lora.Linear(2, 2, { threads: 2 });
  const second = new lora.Embedding(4, 2, { r: 1, threads: 2 });
  const other = new lora.Linear(2, 2, { threads: 3 });
  const x: Float32Tensor = { dtype: "float32", shape: [1, 2], data: Float32Array.of(1, 2) };
  const ids: TensorData<"int32"> = { dtype: "int32", shape: [2], data: Int32Array.of(0, 3) };
  await Promise.all([first.forward(x), second.forward(ids)]);
  expect(create).toHaveBeenCalledTimes(1);
  await other.forward(x);
  expect(create).toHaveBeenCalledTimes(2);
  await first.dispose();
  expect((await second.forward(ids)).shape).toEqual([2, 2]);
  await Promise.all([second.dispose(), other.dispose()]);
  expect(create).toHaveBeenCalledTimes(2);
  await first.forward(x);
  expect(create).toHaveBeenCalledTimes(3);
  await first.dispose();
  const engine = await Engine.create({ threads: 1 });
  const given = new lora.Linear(2, 2, { engine });
  await given.forward(x);
  await given.dispose();
  expect(engine.hasEnded).toBe(false);
  await engine.dispose();
  create.mockRestore();
});

describe("a net of every kind of layer", () => {
  const golden = JSON.parse(readFileSync(goldenPath("loralib/trainable.json"), "utf8"));
  const bare = { threads: 1 };
  const net = {
    embed: new lora.Embedding(11, 8, { r: 2, ...bare }),
    attn: new lora.MergedLinear(8, 24, { r: 2, enableLora: [true, false, true], ...bare }),
    plain: new PlainLinear(8, 8),
    fc: [
      new lora.Linear(8, 6, { r: 3, ...bare }),
      new LayerNorm(6, 1e-5),
      new lora.Linear(6, 8, { r: 2, bias: false, ...bare }),
    ],
    rank_0: new lora.Linear(8, 8, bare),
    conv: new lora.Conv2d(1, 2, 2, { r: 1, ...bare }),
    head: new PlainLinear(8, 3),
  };
  for (const [name, parameter] of lora.namedParameters(net)) {
    if (parameter.source.kind === "shape") parameter.initialize(0, name);
  }

  test("has PyTorch's names and shapes", () => {
    const shapes = Object.fromEntries([...lora.namedParameters(net)].map(([name, { shape }]) => [name, [...shape]]));
    expect(shapes).toEqual(golden.parameters);
    expect(Object.keys(shapes)).toEqual(Object.keys(golden.parameters));
  });

  test.each(["none", "all", "lora_only"] as const)("trains and saves what loralib does, bias %s", async (bias) => {
    lora.markOnlyLoraAsTrainable(net, bias);
    const parameters = [...lora.namedParameters(net)];
    const trained = parameters.filter(([, { trainable }]) => trainable).map(([name]) => name);
    expect(trained).toEqual(golden.modes[bias].trainable);
    const saved = await lora.loraStateDict(net, bias);
    expect(Object.keys(saved)).toEqual(golden.modes[bias].stateDict);
    for (const [name, tensor] of Object.entries(saved)) {
      expect(tensor, name).toEqual(elements(new Map(parameters).get(name)));
    }
  });

  test("another word for bias is refused before anything changes", async () => {
    lora.markOnlyLoraAsTrainable(net);
    const wrong = "some" as "all";
    expect(() => lora.markOnlyLoraAsTrainable(net, wrong)).toThrow('bias is "some"');
    await expect(lora.loraStateDict(net, wrong)).rejects.toThrow('bias is "some"');
    expect([...lora.namedParameters(net)].filter(([, { trainable }]) => trainable).length).toBe(10);
  });

  test("a module of the network's own kind is a net, too", () => {
    class Tied extends Module {
      readonly first = this.child("first", new PlainLinear(2, 3));
      readonly weight = this.tie("weight", this.first.weight);
    }
    expect([...lora.namedParameters(new Tied()).keys()]).toEqual(["weight", "first.bias"]);
  });
});

test("what does not fit is refused by name", async () => {
  expect(() => new lora.MergedLinear(4, 7, { r: 1, enableLora: [true, false] })).toThrow("for 7 features out");
  expect(() => new lora.MergedLinear(4, 4, { r: 1, enableLora: [] })).toThrow("enableLora is []");
  expect(() => new lora.Embedding(4, 2, { paddingIdx: 4 })).toThrow("paddingIdx is 4");
  expect(() => new lora.Embedding(4, 0)).toThrow("a table of 4 embeddings of size 0");
  expect(() => new lora.Conv2d(4, 2, 0)).toThrow("with a kernel of 0");
  expect(() => new lora.Conv2d(4, 2, 2, { stride: 0 })).toThrow("stride 0");
  const groups: object = { groups: 2 };
  expect(() => new lora.Conv2d(4, 2, 2, groups)).toThrow("lora.Conv2d has no option groups");
  const maxNorm: object = { maxNorm: 1 };
  expect(() => new lora.Embedding(4, 2, maxNorm)).toThrow("lora.Embedding has no option maxNorm");
  const embedding = new lora.Embedding(4, 2, { paddingIdx: -1 });
  expect(embedding.paddingIdx).toBe(3);
  expect([...elements(embedding.weight).data.slice(6)]).toEqual([0, 0]);
  await expect(embedding.forward({ dtype: "int32", shape: [1], data: Int32Array.of(4) })).rejects.toThrow("no row 4");
  const conv = new lora.Conv2d(2, 2, 3);
  const small: Float32Tensor = { dtype: "float32", shape: [1, 2, 2, 2], data: new Float32Array(8) };
  await expect(conv.forward(small)).rejects.toThrow("the input is [1,2,2,2]");
});
