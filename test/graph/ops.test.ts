import { describe, expect, test } from "vitest";
import { ops, type Tensor } from "#graft/graph/index";
import { applyPeepholes, cpuLowering, type LoweringTable, standardLowering, webgpuLowering } from "#graft/onnx/index";
import type { TensorData } from "#graft/tensor-data";
import { builders, type GoldenName } from "./builders.js";
import { difference, type Tolerance } from "./close.js";
import { type GoldenGraph, goldenGraph, type Sizes } from "./golden-graph.js";
import { type GoldenCase, goldenCases, goldenTensor } from "./goldens.js";
import { lowered, withSession } from "./session.js";

const exact: Tolerance = { relative: 1e-5, absolute: 1e-6 };

/** Where float32 cannot do better: sums that cancel, and variances far from the mean. */
const looser: { readonly [name: string]: Tolerance } = {
  "layerNorm largeMean": { relative: 1e-4, absolute: 1e-4 },
  "geluTanh wide": { relative: 1e-5, absolute: 2e-6 },
  "layerNorm tinyEpsilon": { relative: 1e-5, absolute: 1e-5 },
};

/** What Graft says where PyTorch's answer is NaN: a batch without labels has loss 0 and no gradient. */
const zerosInsteadOfNaN = new Set(["crossEntropy allIgnored"]);

interface Engine {
  readonly table: LoweringTable;
  readonly prepare: (outputs: readonly Tensor[]) => readonly Tensor[];
  readonly level: "disabled" | "all";
  readonly providers?: readonly string[];
}

const engines: Record<string, Engine> = {
  cpu: { table: cpuLowering, prepare: applyPeepholes, level: "disabled" },
  webgpu: {
    table: webgpuLowering,
    prepare: applyPeepholes,
    level: "disabled",
    // The form for WebGPU, on CPU kernels unless a machine with an adapter is to show what its own kernels make of it.
    providers: process.env.GRAFT_TEST_WEBGPU === "1" ? ["webgpu", "cpu"] : ["cpu"],
  },
  standard: { table: standardLowering, prepare: (outputs) => outputs, level: "all" },
};

function expectedTensor(golden: GoldenCase, name: string): TensorData {
  const tensor = goldenTensor(golden, name);
  if (!zerosInsteadOfNaN.has(`${golden.op} ${golden.case}`)) return tensor;
  return { dtype: "float32", shape: tensor.shape, data: new Float32Array(tensor.data.length) };
}

async function run({ outputs, inputs, feeds }: GoldenGraph, { table, prepare, level, providers = ["cpu"] }: Engine) {
  const prepared = prepare(Object.values(outputs));
  const named = Object.fromEntries(Object.keys(outputs).map((name, position) => [name, prepared[position] as Tensor]));
  const options = { graphOptimizationLevel: level, executionProviders: [...providers] };
  return withSession(lowered(named, table, inputs), (once) => once(feeds), options);
}

test("every operator has goldens, and every golden a graph", () => {
  const withGolden = new Set(goldenCases.map((golden) => golden.op));
  expect(Object.keys(ops).filter((op) => !withGolden.has(op))).toEqual([]);
  expect([...withGolden].filter((op) => !(op in builders))).toEqual([]);
});

test("every differentiable operator has a golden gradient", () => {
  const withGradient = new Set(goldenCases.filter((golden) => golden.differentiated.length > 0).map(({ op }) => op));
  const differentiable = Object.entries(ops).filter(([, definition]) => definition.gradient !== null);
  expect(differentiable.map(([op]) => op).filter((op) => !withGradient.has(op))).toEqual([]);
});

describe.each(Object.keys(builders) as GoldenName[])("%s gives PyTorch's numbers", (op) => {
  for (const golden of goldenCases.filter((candidate) => candidate.op === op)) {
    for (const sizes of ["static", "symbolic"] satisfies Sizes[]) {
      test.each(Object.keys(engines))(`${golden.case}, ${sizes}, %s`, async (engine) => {
        const graph = goldenGraph(golden, sizes);
        const results = await run(graph, engines[engine] as Engine);
        const tolerance = looser[`${op} ${golden.case}`] ?? exact;
        for (const name of Object.keys(graph.outputs)) {
          expect(difference(results[name], expectedTensor(golden, name), tolerance), name).toBeNull();
        }
      });
    }
  }
});
