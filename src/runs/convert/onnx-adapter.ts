import { Builder } from "flatbuffers";
import { type TensorData, toFloat32 } from "../../tensor-data.js";
import type { LoraAdapter } from "./factors.js";

const IDENTIFIER = "TORT";
const FORMAT_VERSION = 1;
/** ONNX's number of float32. */
const FLOAT = 1;

/** The tensors that a graph written with `adapters: "inputs"` takes, by the names of its inputs. */
export function graphInputs({ factors, others }: LoraAdapter): Map<string, TensorData<"float32">> {
  const inputs = new Map<string, TensorData<"float32">>();
  for (const { module, a, b, scaling } of factors) {
    inputs.set(`${module}.lora_A.weight`, a);
    inputs.set(`${module}.lora_B.weight`, b);
    inputs.set(`${module}.lora_scaling`, { dtype: "float32", shape: [1], data: Float32Array.of(scaling) });
  }
  for (const [key, tensor] of others) {
    const data = toFloat32(tensor);
    inputs.set(key.replace(/^base_model\.model\./, ""), { dtype: "float32", shape: tensor.shape, data });
  }
  return inputs;
}

/** A file of named tensors that ONNX Runtime (1.20 and later) feeds to a graph: `onnxruntime.LoraAdapter`, in flatbuffers. */
export function onnxAdapter(tensors: ReadonlyMap<string, TensorData<"float32">>): Uint8Array {
  const builder = new Builder(1024);
  const parameters = [...tensors].map(([name, { shape, data }]) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    builder.startVector(1, bytes.length, 8);
    for (let at = bytes.length - 1; at >= 0; at--) builder.addInt8(bytes[at] as number);
    const raw = builder.endVector();
    builder.startVector(8, shape.length, 8);
    for (const size of [...shape].reverse()) builder.addInt64(BigInt(size));
    const dims = builder.endVector();
    const text = builder.createString(name);
    builder.startObject(4);
    builder.addFieldOffset(0, text, 0);
    builder.addFieldOffset(1, dims, 0);
    builder.addFieldInt32(2, FLOAT, 0);
    builder.addFieldOffset(3, raw, 0);
    return builder.endObject();
  });
  builder.startVector(4, parameters.length, 4);
  for (const parameter of parameters.reverse()) builder.addOffset(parameter);
  const vector = builder.endVector();
  builder.startObject(4);
  builder.addFieldInt32(0, FORMAT_VERSION, 0);
  builder.addFieldInt32(1, 1, 0);
  builder.addFieldInt32(2, 1, 0);
  builder.addFieldOffset(3, vector, 0);
  builder.finish(builder.endObject(), IDENTIFIER);
  return builder.asUint8Array();
}
