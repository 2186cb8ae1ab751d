import { expect, test } from "vitest";
import { nodesInOrder } from "#graft/autodiff/index";
import type { Tensor } from "#graft/graph/index";
import { applyPeepholes, cpuLowering } from "#graft/onnx/index";
import { goldenGraph } from "../graph/golden-graph.js";
import { goldenCases } from "../graph/goldens.js";
import { lowered } from "../graph/session.js";

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
