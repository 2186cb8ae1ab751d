import type { GraphProto, ModelProto } from "./proto/index.js";

/** ai.onnx operators as of opset 20 (Gelu; reductions and Pad take their axes as inputs). */
const opsetVersion = 20;

/** A complete model around a graph. The com.microsoft domain is declared where a node uses it. */
export function modelOf(graph: GraphProto): ModelProto {
  const opsetImport = [{ domain: "", version: opsetVersion }];
  if (graph.node.some((node) => node.domain === "com.microsoft"))
    opsetImport.push({ domain: "com.microsoft", version: 1 });
  return { irVersion: 9, producerName: "graft", producerVersion: "", opsetImport, graph };
}
