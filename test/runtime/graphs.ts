import { encodeModel, type GraphProto, type NodeProto, type TensorProto } from "#graft/onnx/proto/index";
import type { ProgramDefinition } from "#graft/runtime/index";
import type { TensorData } from "#graft/tensor-data";

export function node(
  opType: string,
  input: string[],
  output: string,
  attributes: Record<string, number> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => ({ name, type: "int" as const, value }));
  return { name: output, opType, domain: "", input, output: [output], attribute };
}

export function f32(shape: number[], values: ArrayLike<number>): TensorData<"float32"> {
  return { dtype: "float32", shape, data: Float32Array.from(values) };
}

export function constant(name: string, values: number[] | bigint[], dims: number[]): TensorProto {
  const integers = typeof values[0] === "bigint";
  const array = integers ? new BigInt64Array(values as bigint[]) : new Float32Array(values as number[]);
  return { name, dtype: integers ? "int64" : "float32", dims, rawData: new Uint8Array(array.buffer) };
}

export function model(graph: Pick<GraphProto, "node" | "input" | "output"> & Partial<GraphProto>): Uint8Array {
  return encodeModel({
    irVersion: 10,
    producerName: "graft-test",
    producerVersion: "",
    opsetImport: [{ domain: "", version: 21 }],
    graph: { name: "g", initializer: [], valueInfo: [], ...graph },
  });
}

/** y = x · weight, with x [rows, 3] and weight [3, 2] wherever `weight` says it lies. */
export function product(weight: TensorProto): ProgramDefinition {
  const input = { name: "x", dtype: "float32" as const, shape: ["rows", 3] };
  return {
    model: model({
      node: [node("MatMul", ["x", "weight"], "y")],
      initializer: [weight],
      input: [input],
      output: [{ name: "y", dtype: "float32", shape: ["rows", 2] }],
    }),
    purpose: "prediction",
    inputs: [input],
    outputs: ["y"],
    resident: [],
    masks: [],
  };
}

/** Mean squared error of x · weight + bias and its gradients, written out by hand. */
export function regression(): ProgramDefinition {
  const inputs = [
    { name: "x", dtype: "float32" as const, shape: ["rows", "features"] },
    { name: "y", dtype: "float32" as const, shape: ["rows", 1] },
    { name: "weight", dtype: "float32" as const, shape: ["features", 1] },
    { name: "bias", dtype: "float32" as const, shape: [1] },
  ];
  return {
    model: model({
      node: [
        node("Gemm", ["x", "weight", "bias"], "prediction"),
        node("Sub", ["prediction", "y"], "difference"),
        node("Mul", ["difference", "difference"], "square"),
        node("ReduceMean", ["square"], "loss", { keepdims: 0 }),
        node("Size", ["difference"], "size"),
        node("Cast", ["size"], "count", { to: 1 }),
        node("Div", ["two", "count"], "factor"),
        node("Mul", ["difference", "factor"], "gradPrediction"),
        node("ReduceSum", ["gradPrediction", "axis"], "gradBias", { keepdims: 0 }),
        node("Gemm", ["x", "gradPrediction"], "gradWeight", { transA: 1 }),
      ],
      initializer: [constant("two", [2], []), constant("axis", [0n], [1])],
      input: inputs,
      output: [
        { name: "loss", dtype: "float32", shape: [] },
        { name: "gradWeight", dtype: "float32", shape: ["features", 1] },
        { name: "gradBias", dtype: "float32", shape: [1] },
        { name: "prediction", dtype: "float32", shape: ["rows", 1] },
      ],
    }),
    purpose: "training",
    inputs,
    outputs: ["loss", "gradWeight", "gradBias", "prediction"],
    resident: ["weight", "bias"],
    masks: [],
    gradients: { weight: "gradWeight", bias: "gradBias" },
    loss: "loss",
  };
}

/** A run that keeps the engine busy for a while: x multiplied by itself again and again. */
export function longRun(size: number, times: number): ProgramDefinition {
  const input = { name: "x", dtype: "float32" as const, shape: [size, size] };
  const names = ["x", ...Array.from({ length: times }, (_, i) => `p${i}`)];
  return {
    model: model({
      node: names.slice(1).map((output, i) => node("MatMul", [names[i] as string, "x"], output)),
      input: [input],
      output: [{ name: names[times] as string, dtype: "float32", shape: [size, size] }],
    }),
    purpose: "prediction",
    inputs: [input],
    outputs: [names[times] as string],
    resident: [],
    masks: [],
  };
}
