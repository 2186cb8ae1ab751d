import * as ort from "onnxruntime-node";
import type { Tensor } from "#graft/graph/index";
import { encodeModel, type GraphProto, type LoweringTable, lowerGraph, modelOf } from "#graft/onnx/index";
import { bytesOf, type DType, type TensorData } from "#graft/tensor-data";

/** A graph lowered with one table, all initialisers inline. */
export function lowered(
  outputs: Readonly<Record<string, Tensor>>,
  table: LoweringTable,
  inputs: readonly Tensor[] = [],
): GraphProto {
  return lowerGraph({
    name: "test",
    outputs,
    table,
    inputs,
    writeInitializer({ dtype, shape, origin }, name) {
      if (origin.kind !== "initializer" || origin.source.kind !== "memory") throw new Error(`${name} is not in memory`);
      return { name, dtype, dims: shape.map(Number), rawData: bytesOf(origin.source.data) };
    },
  });
}

const toOrt = ({ dtype, data, shape }: TensorData): ort.Tensor =>
  new ort.Tensor(dtype as ort.Tensor.Type, data as ort.Tensor.DataType, [...shape]);

const fromOrt = (tensor: ort.Tensor): TensorData =>
  ({ dtype: tensor.type as DType, shape: [...tensor.dims], data: tensor.data }) as TensorData;

/** Runs `use` with a session of the graph; one thread, errors only. */
export async function withSession<T>(
  graph: GraphProto,
  use: (run: (feeds: Readonly<Record<string, TensorData>>) => Promise<Record<string, TensorData>>) => Promise<T>,
  options: ort.InferenceSession.SessionOptions = {},
): Promise<T> {
  const session = await ort.InferenceSession.create(encodeModel(modelOf(graph)), {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
    ...options,
  });
  try {
    return await use(async (feeds) => {
      const entries = Object.entries(feeds).map(([name, data]) => [name, toOrt(data)] as const);
      const results = await session.run(Object.fromEntries(entries));
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
    });
  } finally {
    await session.release();
  }
}
