import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { gradients } from "#graft/autodiff/index";
import { input, matMul, mul, reduceMean, type Tensor, tanh, withScope } from "#graft/graph/index";
import { cpuLowering, encodeModel, modelOf } from "#graft/onnx/index";
import { lowered } from "../../graph/session.js";

const layers = 6;
const features = 8;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-order-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A network of tanh layers: its loss first, then the gradients of its weights, the last layer's first. */
function network() {
  const x = input("x", "float32", ["batch", features]);
  const weights: Tensor[] = [];
  let y = x;
  for (let layer = 0; layer < layers; layer++) {
    const weight = input(`weight.${layer}`, "float32", [features, features]);
    weights.push(weight);
    y = withScope(`layer.${layer}`, () => tanh(matMul(y, weight)));
  }
  const loss = reduceMean(mul(y, y));
  const backward = gradients(loss, weights) as Tensor[];
  const outputs: Record<string, Tensor> = { loss };
  for (let layer = layers - 1; layer >= 0; layer--) outputs[`gradient:weight.${layer}`] = backward[layer] as Tensor;
  return { outputs, inputs: [x, ...weights] };
}

/** The nodes in the order in which ONNX Runtime ran them, by its own profile. */
async function executed(): Promise<string[]> {
  const { outputs, inputs } = network();
  const session = await ort.InferenceSession.create(encodeModel(modelOf(lowered(outputs, cpuLowering, inputs))), {
    // As sessions for training have it.
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    enableProfiling: true,
    profileFilePrefix: join(folder, "profile"),
  });
  const square = [features, features];
  const weights = inputs.slice(1).map((_, layer) => [`weight.${layer}`, tensorOf(square)] as const);
  await session.run({ x: tensorOf([3, features]), ...Object.fromEntries(weights) });
  session.endProfiling();
  await session.release();
  const [file] = await readdir(folder);
  const events: { cat: string; name: string; ts: number }[] = JSON.parse(
    await readFile(join(folder, file as string), "utf8"),
  );
  return events
    .filter(({ cat, name }) => cat === "Node" && name.endsWith("_kernel_time"))
    .sort((a, b) => a.ts - b.ts)
    .map(({ name }) => name.replace("_kernel_time", ""));
}

function tensorOf(shape: number[]): ort.Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return new ort.Tensor(
    "float32",
    Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
    shape,
  );
}

describe("the file", () => {
  test("ends with the leaf that is to be computed first: the outputs in reverse", () => {
    const { outputs, inputs } = network();
    const graph = lowered(outputs, cpuLowering, inputs);
    const names = Object.keys(outputs);
    expect(graph.node.slice(-names.length).flatMap((node) => node.output)).toEqual(names.reverse());
  });

  test("lists every node after the nodes that it reads", () => {
    const { outputs, inputs } = network();
    const { node, input: declared, initializer } = lowered(outputs, cpuLowering, inputs);
    const known = new Set([...declared, ...initializer].map(({ name }) => name));
    for (const { name, input: read, output } of node) {
      expect(
        read.filter((value) => value !== "" && !known.has(value)),
        name,
      ).toEqual([]);
      for (const value of output) known.add(value);
    }
  });
});

test("ONNX Runtime computes each weight's gradient before it enters the layer below", async () => {
  const order = await executed();
  const { outputs, inputs } = network();
  const { node } = lowered(outputs, cpuLowering, inputs);
  const gradientOf = new Map(
    node.filter(({ output }) => output[0]?.startsWith("gradient:")).map(({ input, output }) => [input[0], output[0]]),
  );
  const backwardProducts = order.filter((name) => /^layer\.\d'\/(Fused)?MatMul/.test(name));
  const labels = backwardProducts.map((name) => gradientOf.get(name) ?? `below layer ${name.slice(6, 7)}`);
  const expected = Array.from({ length: layers }, (_, layer) => [`below layer ${layer}`, `gradient:weight.${layer}`]);
  // The first layer's input needs no gradient.
  expect(labels).toEqual(expected.flat().slice(1).reverse());
});
