import { describe, expect, test } from "vitest";
import { cpuLowering, type GraphProto, standardLowering, webgpuLowering } from "#graft/onnx/index";
import { goldenGraph } from "../../graph/golden-graph.js";
import { goldenCases } from "../../graph/goldens.js";
import { lowered } from "../../graph/session.js";

/** Operators that ONNX Runtime's WebGPU provider leaves to the CPU, each time with copies from and to the GPU. */
const withoutWebgpuKernel = new Set(
  (
    "FusedMatMul LogSoftmax OneHot Dropout RandomUniformLike ConstantOfShape Sign Round IsNaN IsInf Mean Sum Mod Or " +
    "Xor Attention ScatterND"
  ).split(" "),
);

function opTypes(graph: GraphProto): Set<string> {
  return new Set(graph.node.map((node) => node.opType));
}

describe.each(["static", "symbolic"] as const)("graphs with %s sizes", (sizes) => {
  const graphs = goldenCases.map((golden) => ({ name: `${golden.op} ${golden.case}`, ...goldenGraph(golden, sizes) }));

  test("use WebGPU kernels alone on WebGPU", () => {
    const fallingBack = graphs.flatMap(({ name, outputs, inputs }) =>
      [...opTypes(lowered(outputs, webgpuLowering, inputs))]
        .filter((opType) => withoutWebgpuKernel.has(opType))
        .map((opType) => `${name}: ${opType}`),
    );
    expect(fallingBack).toEqual([]);
  });

  test("normalise layers on WebGPU without its kernel, whose variance cancels where the mean is large", () => {
    const norms = graphs.filter(({ name }) => name.startsWith("layerNorm"));
    expect(norms).not.toEqual([]);
    const types = norms.flatMap(({ outputs, inputs }) => [...opTypes(lowered(outputs, webgpuLowering, inputs))]);
    expect(types).not.toContain("LayerNormalization");
  });

  test.each([
    ["cpu", cpuLowering],
    ["webgpu", webgpuLowering],
    ["standard", standardLowering],
  ])("let `after` wait for its second input on %s", (_, table) => {
    const { outputs, inputs } = graphs.find(({ name }) => name === "after sameShape")!;
    const { node } = lowered(outputs, table, inputs);
    const waits = node.filter(({ opType, input }) => opType === "Shape" && input[0] === "other");
    expect(waits).toHaveLength(1);
    expect(node.some(({ input }) => input.includes(waits[0]!.output[0]!))).toBe(true);
  });

  test("compute with int64 on WebGPU nowhere but in shapes", () => {
    const bulky = graphs.filter(({ outputs, inputs }) => {
      const { initializer, input } = lowered(outputs, webgpuLowering, inputs);
      // Shapes, axes and bounds: one number a dimension.
      return (
        input.some(({ dtype }) => dtype === "int64") ||
        initializer.some(({ dtype, dims }) => dtype === "int64" && dims.reduce((a, b) => a * b, 1) > 6)
      );
    });
    expect(bulky.map(({ name }) => name)).toEqual([]);
  });

  test("use the standard's operators alone in exported files", () => {
    const domains = graphs.flatMap(({ outputs, inputs }) =>
      lowered(outputs, standardLowering, inputs).node.map(({ domain }) => domain),
    );
    expect(new Set(domains)).toEqual(new Set([""]));
  });

  test("transpose no operand of a product on the CPU", () => {
    const products = graphs.filter(({ name }) => name.startsWith("matMul"));
    const types = products.flatMap(({ outputs, inputs }) => [...opTypes(lowered(outputs, cpuLowering, inputs))]);
    expect(types).toContain("FusedMatMul");
    expect(types).not.toContain("Transpose");
  });

  test("transpose no matrix on the right of a product on WebGPU", () => {
    const weights = graphs.filter(({ name }) => ["matMul 3dByTransposed2d", "linearGelu sequence"].includes(name));
    expect(weights).toHaveLength(2);
    for (const { outputs, inputs } of weights) {
      const types = opTypes(lowered(outputs, webgpuLowering, inputs));
      expect(types).toContain("Gemm");
      expect(types).not.toContain("Transpose");
    }
  });

  test("never scatter with ScatterND, whose CPU kernel loses updates", () => {
    for (const table of [cpuLowering, standardLowering, webgpuLowering]) {
      const types = graphs.flatMap(({ outputs, inputs }) => [...opTypes(lowered(outputs, table, inputs))]);
      expect(types).toContain("ScatterElements");
      expect(types).not.toContain("ScatterND");
    }
  });
});
