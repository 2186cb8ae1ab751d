import { describe, expect, test } from "vitest";
import { gradients } from "#graft/autodiff/index";
import { add, gelu, input, matMul, nodesInOrder, reduceSum, type Tensor } from "#graft/graph/index";
import { applyPeepholes, cpuLowering } from "#graft/onnx/index";
import { CounterRng } from "#graft/random";
import type { TensorData } from "#graft/tensor-data";
import { difference } from "../graph/close.js";
import { goldenGraph } from "../graph/golden-graph.js";
import { goldenCases } from "../graph/goldens.js";
import { lowered, withSession } from "../graph/session.js";

// That the rewritten graphs give the same numbers is part of test/graph/ops.test.ts.

/** ONNX operators of a golden case's graph after the peepholes, with how often each is applied. */
function opCounts(op: string, name: string, outputNames?: readonly string[]): Record<string, number> {
  const golden = goldenCases.find((candidate) => candidate.op === op && candidate.case === name);
  if (!golden) throw new Error(`no golden ${op} ${name}`);
  const { outputs, inputs } = goldenGraph(golden, "static");
  const names = outputNames ?? Object.keys(outputs);
  const rewritten = applyPeepholes(names.map((output) => outputs[output] as Tensor));
  const named = Object.fromEntries(names.map((output, position) => [output, rewritten[position] as Tensor]));
  const counts: Record<string, number> = {};
  for (const { opType } of lowered(named, cpuLowering, inputs).node) counts[opType] = (counts[opType] ?? 0) + 1;
  return counts;
}

test("forward and backward of a linear layer's GELU share one error function", () => {
  const counts = opCounts("linearGelu", "sequence");
  expect(counts.Erf).toBe(1);
  expect(counts.Gelu).toBeUndefined();
});

test("of a linear layer's GELU the backward pass reads the derivative alone", () => {
  const golden = goldenCases.find(({ op }) => op === "linearGelu");
  if (!golden) throw new Error("no golden linearGelu");
  const nodes = nodesInOrder(applyPeepholes(Object.values(goldenGraph(golden, "static").outputs)));
  const forward = nodes.findIndex(({ op }) => op === "after");
  const slope = nodes[forward]?.inputs[1];
  const kept = new Set(nodes.slice(forward + 1).flatMap(({ inputs }) => inputs));
  expect(nodes.slice(0, forward).flatMap(({ outputs }) => outputs.filter((output) => kept.has(output)))).toEqual([
    slope,
  ]);
});

describe("the GELU of a linear layer with an adapter", () => {
  const x = input("x", "float32", [2, 3]);
  const [weight, bias, down, up] = [
    input("weight", "float32", [4, 3]),
    input("bias", "float32", [4]),
    input("down", "float32", [2, 3]),
    input("up", "float32", [4, 2]),
  ] as const;
  const transposed = { transposeB: true };
  const adapted = add(add(matMul(x, weight, transposed), bias), matMul(matMul(x, down, transposed), up, transposed));
  const loss = reduceSum(gelu(adapted));
  const [gradDown, gradUp] = gradients(loss, [down, up]) as [Tensor, Tensor];
  const outputs = [loss, gradDown, gradUp];
  const inputs = [x, weight, bias, down, up];
  const graphOf = ([loss, gradDown, gradUp]: readonly Tensor[]) =>
    lowered({ loss, gradDown, gradUp } as Record<string, Tensor>, cpuLowering, inputs);

  test("shares one error function, too", () => {
    const opTypes = graphOf(applyPeepholes(outputs)).node.map(({ opType }) => opType);
    expect(opTypes.filter((opType) => opType === "Erf")).toHaveLength(1);
    expect(opTypes).not.toContain("Gelu");
  });

  test("gives the same numbers", async () => {
    const random = new CounterRng([1]);
    const feeds = Object.fromEntries(
      inputs.map(({ shape, origin }): [string, TensorData] => {
        const sizes = shape.map(Number);
        const data = Float32Array.from({ length: sizes.reduce((a, b) => a * b) }, () => random.normal());
        return [origin.kind === "input" ? origin.name : "", { dtype: "float32", shape: sizes, data }];
      }),
    );
    const before = await withSession(graphOf(outputs), (run) => run(feeds));
    const after = await withSession(graphOf(applyPeepholes(outputs)), (run) => run(feeds));
    for (const [name, tensor] of Object.entries(before)) {
      expect(difference(after[name], tensor, { relative: 1e-5, absolute: 1e-6 }), name).toBeNull();
    }
  });
});

test("a GELU without a backward pass stays one kernel", () => {
  const counts = opCounts("linearGelu", "sequence", ["out"]);
  expect(counts.Gelu).toBe(1);
  expect(counts.Erf).toBeUndefined();
});

test("a constant factor of an operand goes into the product", () => {
  const counts = opCounts("attention", "scaled", ["out"]);
  expect(counts.Mul).toBeUndefined();
  expect(counts.FusedMatMul).toBe(1);
});

test("attention's gradient takes its row sums over the head's features, not over the keys", () => {
  const golden = goldenCases.find(({ op }) => op === "attention");
  if (!golden) throw new Error("no golden attention");
  const { outputs } = goldenGraph(golden, "static");
  const features = outputs.out?.shape;
  const summed = (tensors: readonly Tensor[]) =>
    nodesInOrder(tensors)
      .filter(({ op }) => op === "reduceSum")
      .map(({ inputs }) => inputs[0]?.shape.join());
  const before = Object.values(outputs);
  expect(summed(before)).not.toContain(features?.join());
  expect(summed(applyPeepholes(before))).toEqual([features?.join()]);
});
