import { PbfReader } from "pbf";
import { GraftError, messageOf } from "../../errors.js";
import { bytesPerElement, elementCount } from "../../tensor-data.js";
import { attributeTypeOfCode, dtypeOfCode } from "./codes.js";
import { rawFromTypedData, readBigVarints, type TypedData } from "./typed-data.js";
import type {
  AttributeProto,
  AttributeType,
  AttributeValues,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSetId,
  StringEntry,
  TensorProto,
  ValueInfoProto,
} from "./types.js";

/** Readers by field number; fields without a reader (documentation, annotations) are passed over. */
type FieldReaders<T> = Readonly<Record<number, (into: T, pbf: PbfReader) => void>>;

function readInto<T>(readers: FieldReaders<T>, into: T, pbf: PbfReader): T {
  return pbf.readMessage((field, target, reader) => readers[field]?.(target, reader), into);
}

/** Reads a field into a property; `old` is what an earlier occurrence of the field left there. */
function set<T, K extends keyof T>(property: K, read: (pbf: PbfReader, old: T[K]) => T[K]) {
  return (into: T, pbf: PbfReader): void => {
    into[property] = read(pbf, into[property]);
  };
}

function refuse(what: string): never {
  throw new GraftError("unsupported", `the ONNX model holds ${what}, which Graft does not read`, "Export it without.");
}

const entryReaders: FieldReaders<StringEntry> = {
  1: set("key", (pbf) => pbf.readString()),
  2: set("value", (pbf) => pbf.readString()),
};

const readEntry = (pbf: PbfReader): StringEntry => readInto(entryReaders, { key: "", value: "" }, pbf);

interface TensorFields extends TypedData {
  name: string;
  dims: number[];
  code: number;
  raw?: Uint8Array;
  external: Map<string, string>;
  isExternal: boolean;
}

const tensorReaders: FieldReaders<TensorFields> = {
  1: (into, pbf) => void pbf.readPackedVarint(into.dims, true),
  2: set("code", (pbf) => pbf.readVarint()),
  4: set("floatData", (pbf, old) => pbf.readPackedFloat(old)),
  5: set("int32Data", (pbf, old) => pbf.readPackedVarint(old, true)),
  7: set("int64Data", (pbf, old) => readBigVarints(pbf, old ?? [])),
  8: set("name", (pbf) => pbf.readString()),
  9: set("raw", (pbf) => pbf.readBytes()),
  10: set("doubleData", (pbf, old) => pbf.readPackedDouble(old)),
  13: (into, pbf) => {
    const { key, value } = readEntry(pbf);
    into.external.set(key, value);
  },
  14: set("isExternal", (pbf) => pbf.readVarint() === 1),
};

function readTensor(pbf: PbfReader): TensorProto {
  const fields: TensorFields = { name: "", dims: [], code: 0, external: new Map(), isExternal: false };
  readInto(tensorReaders, fields, pbf);
  const { name, dims, external } = fields;
  const dtype = dtypeOfCode(fields.code, name);
  if (fields.isExternal) {
    const wholeLength = elementCount(dims) * bytesPerElement(dtype);
    const location = external.get("location") ?? "";
    const [offset, length] = [Number(external.get("offset") ?? 0), Number(external.get("length") ?? wholeLength)];
    return { name, dtype, dims, external: { location, offset, length } };
  }
  return { name, dtype, dims, rawData: fields.raw ?? rawFromTypedData(dtype, fields) ?? new Uint8Array(0) };
}

interface AttributeFields extends Partial<AttributeValues> {
  name: string;
  code: number;
}

const attributeReaders: FieldReaders<AttributeFields> = {
  1: set("name", (pbf) => pbf.readString()),
  2: set("float", (pbf) => pbf.readFloat()),
  3: set("int", (pbf) => pbf.readVarint(true)),
  4: set("string", (pbf) => pbf.readString()),
  5: set("tensor", (pbf) => readTensor(pbf)),
  7: set("floats", (pbf, old) => pbf.readPackedFloat(old)),
  8: set("ints", (pbf, old) => pbf.readPackedVarint(old, true)),
  20: set("code", (pbf) => pbf.readVarint()),
};

/** What an attribute holds when its field was left out, as proto2's defaults have it. */
const attributeDefaults: { readonly [T in AttributeType]: () => AttributeValues[T] } = {
  float: () => 0,
  int: () => 0,
  string: () => "",
  floats: () => [],
  ints: () => [],
  tensor: () => refuse("a tensor attribute without a tensor"),
};

function readAttribute(pbf: PbfReader): AttributeProto {
  const fields: AttributeFields = readInto(attributeReaders, { name: "", code: 0 }, pbf);
  const type = attributeTypeOfCode(fields.code, fields.name);
  return { name: fields.name, type, value: fields[type] ?? attributeDefaults[type]() } as AttributeProto;
}

const nodeReaders: FieldReaders<NodeProto> = {
  1: (into, pbf) => void into.input.push(pbf.readString()),
  2: (into, pbf) => void into.output.push(pbf.readString()),
  3: set("name", (pbf) => pbf.readString()),
  4: set("opType", (pbf) => pbf.readString()),
  5: (into, pbf) => void into.attribute.push(readAttribute(pbf)),
  7: set("domain", (pbf) => pbf.readString()),
};

const emptyNode = (): NodeProto => ({ name: "", opType: "", domain: "", input: [], output: [], attribute: [] });

interface ValueFields {
  name: string;
  code: number;
  shape?: (number | string)[];
}

const dimReaders: FieldReaders<{ dim: number | string }> = {
  1: set("dim", (pbf) => pbf.readVarint(true)),
  2: set("dim", (pbf) => pbf.readString()),
};

const shapeReaders: FieldReaders<(number | string)[]> = {
  1: (into, pbf) => void into.push(readInto(dimReaders, { dim: "" }, pbf).dim),
};

const tensorTypeReaders: FieldReaders<ValueFields> = {
  1: set("code", (pbf) => pbf.readVarint()),
  2: set("shape", (pbf) => readInto(shapeReaders, [], pbf)),
};

const typeReaders: FieldReaders<ValueFields> = { 1: (into, pbf) => void readInto(tensorTypeReaders, into, pbf) };

const valueReaders: FieldReaders<ValueFields> = {
  1: set("name", (pbf) => pbf.readString()),
  2: (into, pbf) => void readInto(typeReaders, into, pbf),
};

/** A value's description; undefined when it names no tensor type with a shape. */
function readValueInfo(pbf: PbfReader): ValueInfoProto | undefined {
  const { name, code, shape }: ValueFields = readInto(valueReaders, { name: "", code: 0 }, pbf);
  return shape === undefined || code === 0 ? undefined : { name, dtype: dtypeOfCode(code, name), shape };
}

const readBoundary = (pbf: PbfReader): ValueInfoProto =>
  readValueInfo(pbf) ?? refuse("a graph input or output without element type and shape");

const graphReaders: FieldReaders<GraphProto> = {
  1: (into, pbf) => void into.node.push(readInto(nodeReaders, emptyNode(), pbf)),
  2: set("name", (pbf) => pbf.readString()),
  5: (into, pbf) => void into.initializer.push(readTensor(pbf)),
  11: (into, pbf) => void into.input.push(readBoundary(pbf)),
  12: (into, pbf) => void into.output.push(readBoundary(pbf)),
  13: (into, pbf) => {
    const value = readValueInfo(pbf);
    if (value !== undefined) into.valueInfo.push(value);
  },
  15: () => refuse("sparse initialisers"),
};

const operatorSetReaders: FieldReaders<OperatorSetId> = {
  1: set("domain", (pbf) => pbf.readString()),
  2: set("version", (pbf) => pbf.readVarint(true)),
};

const modelReaders: FieldReaders<ModelProto> = {
  1: set("irVersion", (pbf) => pbf.readVarint(true)),
  2: set("producerName", (pbf) => pbf.readString()),
  3: set("producerVersion", (pbf) => pbf.readString()),
  7: (into, pbf) => void readInto(graphReaders, into.graph, pbf),
  8: (into, pbf) => void into.opsetImport.push(readInto(operatorSetReaders, { domain: "", version: 0 }, pbf)),
  14: set("metadataProps", (pbf, old) => [...(old ?? []), readEntry(pbf)]),
  25: () => refuse("local functions"),
};

/**
 * Reads an `.onnx` file. Raw tensor bytes are views into `bytes`, not copies.
 * @throws GraftError `invalid-argument` for bytes that are no ONNX model, `unsupported` for parts Graft does not read.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const graph: GraphProto = { name: "", node: [], initializer: [], input: [], output: [], valueInfo: [] };
  const model: ModelProto = { irVersion: 0, producerName: "", producerVersion: "", opsetImport: [], graph };
  const pbf = new PbfReader(bytes);
  try {
    pbf.readFields((field, into, reader) => modelReaders[field]?.(into, reader), model);
  } catch (error) {
    if (error instanceof GraftError) throw error;
    throw notAModel(messageOf(error));
  }
  if (pbf.pos > bytes.length) throw notAModel(`it ends at byte ${bytes.length}, a field reaches to byte ${pbf.pos}`);
  if (model.irVersion === 0) throw notAModel("it names no IR version");
  return model;
}

function notAModel(reason: string): GraftError {
  return new GraftError("invalid-argument", `not a whole ONNX model: ${reason}`, "Check that the file is complete.");
}
