import type { Tensor } from "../graph/index.js";
import type { Parameter } from "../nn/parameter.js";
import type { Trace } from "../nn/trace.js";
import { encodeModel, lowerGraph, modelOf, standardLowering } from "../onnx/index.js";
import { ExternalData } from "./external-data.js";

export interface ExportRequest {
  readonly trace: Trace;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** Bytes of the initialisers that lie in files. */
  readonly read: (parameter: Parameter) => Uint8Array;
}

/** The trace's graph in operators of the ONNX standard, all weights inline: the bytes of an .onnx file. */
export function encodeExport(request: ExportRequest): Uint8Array {
  const parameterOf = new Map([...request.trace.parameters].map(([parameter, tensor]) => [tensor, parameter]));
  const inline = new ExternalData([]);
  const graph = lowerGraph({
    name: "model",
    outputs: request.outputs,
    table: standardLowering,
    inputs: [...request.trace.inputs.values()],
    writeInitializer: (tensor, name) => {
      const parameter = parameterOf.get(tensor);
      if (!parameter) return inline.write(tensor, name);
      return { name, dtype: tensor.dtype, dims: tensor.shape.map(Number), rawData: request.read(parameter) };
    },
  });
  return encodeModel(modelOf(graph));
}
