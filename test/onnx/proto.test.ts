import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { decodeModel, encodeModel, type ModelProto } from "#graft/onnx/proto/index";

const golden = (name: string) => new Uint8Array(readFileSync(new URL(`../golden/onnx/${name}.onnx`, import.meta.url)));
const floats = (...values: number[]) => new Uint8Array(new Float32Array(values).buffer);
const node = (opType: string, input: string[], output: string[]) => ({
  name: "",
  opType,
  domain: "",
  input,
  output,
  attribute: [],
});

/** What reference/make_onnx_golden.py builds. */
const everything: ModelProto = {
  irVersion: 10,
  producerName: "graft",
  producerVersion: "0.1.0",
  opsetImport: [
    { domain: "", version: 21 },
    { domain: "com.microsoft", version: 1 },
  ],
  metadataProps: [{ key: "purpose", value: "test" }],
  graph: {
    name: "everything",
    node: [
      {
        ...node("Gemm", ["x", "weight", "bias"], ["hidden"]),
        name: "gemm",
        attribute: [
          { name: "alpha", type: "float", value: 0.5 },
          { name: "transB", type: "int", value: 1 },
        ],
      },
      {
        ...node("Gelu", ["hidden"], ["active"]),
        attribute: [{ name: "approximate", type: "string", value: "tanh" }],
      },
      {
        ...node("FusedMatMul", ["active", "projection"], ["product"]),
        domain: "com.microsoft",
        attribute: [{ name: "transB", type: "int", value: 1 }],
      },
      {
        ...node("Constant", [], ["axes"]),
        attribute: [
          {
            name: "value",
            type: "tensor",
            value: { name: "", dtype: "int64", dims: [1], rawData: new Uint8Array(8).fill(255) },
          },
        ],
      },
      node("Clip", ["product", "", "ceiling"], ["clipped"]),
      {
        ...node("ReduceSum", ["clipped", "axes"], ["sum"]),
        attribute: [{ name: "keepdims", type: "int", value: 0 }],
      },
      {
        ...node("Upsample", ["sum"], ["y"]),
        attribute: [
          { name: "axes", type: "ints", value: [-2, 300, 2 ** 40] },
          { name: "scales", type: "floats", value: [1, 2.5] },
        ],
      },
    ],
    input: [
      { name: "x", dtype: "float32", shape: ["batch", 3] },
      { name: "s", dtype: "bool", shape: [] },
    ],
    output: [{ name: "y", dtype: "float32", shape: ["batch"] }],
    valueInfo: [{ name: "hidden", dtype: "float32", shape: ["batch", 4] }],
    initializer: [
      {
        name: "weight",
        dtype: "float32",
        dims: [4, 3],
        external: { location: "model.safetensors", offset: 1048, length: 48 },
      },
      { name: "bias", dtype: "float32", dims: [4], rawData: floats(1, -2, 3.5, 1e-8) },
      { name: "projection", dtype: "float32", dims: [50, 4], rawData: floats(...Array(200).keys()) },
      { name: "ceiling", dtype: "float32", dims: [], rawData: floats(6) },
      { name: "half", dtype: "float16", dims: [2], rawData: new Uint8Array(new Uint16Array([0x3c00, 0x4000]).buffer) },
      {
        name: "ids",
        dtype: "int64",
        dims: [1, 2],
        rawData: new Uint8Array(new BigInt64Array([2n ** 40n, -1n]).buffer),
      },
    ],
  },
};

describe("encodeModel", () => {
  it("writes the bytes that Python's onnx package writes", () => {
    expect(Buffer.from(encodeModel(everything)).equals(golden("everything"))).toBe(true);
  });
});

describe("decodeModel", () => {
  it("reads what Python's onnx package wrote", () => {
    expect(decodeModel(golden("everything"))).toEqual(everything);
  });

  it("reads elements kept in typed fields, int64 exactly", () => {
    const { initializer } = decodeModel(golden("typed")).graph;
    const bytes = Object.fromEntries(initializer.map((tensor) => [tensor.name, tensor.rawData?.slice().buffer]));
    expect(new Float32Array(bytes.float32 as ArrayBuffer)).toEqual(new Float32Array([1.5, -2]));
    expect(new Float64Array(bytes.float64 as ArrayBuffer)).toEqual(new Float64Array([1e300]));
    expect(new BigInt64Array(bytes.int64 as ArrayBuffer)).toEqual(
      new BigInt64Array([2n ** 63n - 1n, -(2n ** 63n), 7n]),
    );
    expect(new Int32Array(bytes.int32 as ArrayBuffer)).toEqual(new Int32Array([-(2 ** 31), 5]));
    expect(new Int8Array(bytes.int8 as ArrayBuffer)).toEqual(new Int8Array([-128, 5]));
    expect(new Uint8Array(bytes.bool as ArrayBuffer)).toEqual(new Uint8Array([1, 0]));
    expect(new Uint16Array(bytes.float16 as ArrayBuffer)).toEqual(new Uint16Array([0x3c00]));
  });

  it("refuses truncated files and other bytes", () => {
    const whole = golden("everything");
    expect(() => decodeModel(whole.subarray(0, whole.length - 20))).toThrow(/not a whole ONNX model/);
    expect(() => decodeModel(new Uint8Array(0))).toThrow(/names no IR version/);
    expect(() => decodeModel(new TextEncoder().encode('{"weights": [1, 2, 3]}'))).toThrow(/not a whole ONNX model/);
  });

  it("names an element type that it has no tensors of", () => {
    const bytes = encodeModel(everything);
    const strings = decodeModel(bytes);
    const first = strings.graph.input[0]!;
    first.name = "uniqueName";
    const encoded = encodeModel(strings);
    const at = Buffer.from(encoded).indexOf("uniqueName") + "uniqueName".length;
    // Type message: tag, length, tensor_type tag, length, elem_type tag, element type.
    expect(encoded[at + 5]).toBe(1);
    encoded[at + 5] = 8;
    expect(() => decodeModel(encoded)).toThrow(/"uniqueName" has ONNX element type 8/);
  });
});
