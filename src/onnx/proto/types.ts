import type { DType } from "../../tensor-data.js";

/**
 * ONNX's messages as plain objects, as far as Graft writes and reads them (onnx.proto, IR version 8 and later).
 * Control flow (subgraph attributes), local functions, sparse tensors and strings are outside.
 */
export interface ModelProto {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  opsetImport: OperatorSetId[];
  graph: GraphProto;
  metadataProps?: StringEntry[];
}

/** A domain ("" is ai.onnx) and the version of its operators. */
export interface OperatorSetId {
  domain: string;
  version: number;
}

export interface StringEntry {
  key: string;
  value: string;
}

export interface GraphProto {
  name: string;
  node: NodeProto[];
  initializer: TensorProto[];
  input: ValueInfoProto[];
  output: ValueInfoProto[];
  valueInfo: ValueInfoProto[];
}

export interface NodeProto {
  name: string;
  opType: string;
  domain: string;
  /** Names of values; "" leaves out an optional input. */
  input: string[];
  output: string[];
  attribute: AttributeProto[];
}

/** What an attribute of each type holds. */
export interface AttributeValues {
  int: number;
  float: number;
  string: string;
  ints: number[];
  floats: number[];
  tensor: TensorProto;
}

export type AttributeType = keyof AttributeValues;

export type AttributeOf<T extends AttributeType> = {
  [K in T]: { name: string; type: K; value: AttributeValues[K] };
}[T];

export type AttributeProto = AttributeOf<AttributeType>;

/** A constant tensor: its little-endian bytes here, or a range of an external file. */
export interface TensorProto {
  name: string;
  dtype: DType;
  dims: number[];
  rawData?: Uint8Array;
  external?: ExternalReference;
}

export interface ExternalReference {
  /** Path relative to the folder of the model (or to the runtime's external folder). */
  location: string;
  /** Bytes. */
  offset: number;
  /** Bytes. */
  length: number;
}

export interface ValueInfoProto {
  name: string;
  dtype: DType;
  /** A number, or the name of a symbolic dimension; "" is an unknown one. */
  shape: (number | string)[];
}
