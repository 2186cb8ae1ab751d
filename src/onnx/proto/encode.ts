import { PbfWriter } from "pbf";
import { attributeCodes, dtypeCodes } from "./codes.js";
import type {
  AttributeOf,
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

/** TensorProto.DataLocation.EXTERNAL. */
const EXTERNAL_LOCATION = 1;
/** AttributeProto.type's field number. */
const ATTRIBUTE_TYPE_FIELD = 20;

/** Writes one attribute's value; lists are not packed, as onnx.proto has it (proto2). */
const attributeWriters: { readonly [T in AttributeType]: (value: AttributeValues[T], pbf: PbfWriter) => void } = {
  float: (value, pbf) => pbf.writeFloatField(2, value),
  int: (value, pbf) => pbf.writeVarintField(3, value),
  string: (value, pbf) => pbf.writeStringField(4, value),
  tensor: (value, pbf) => pbf.writeMessage(5, writeTensor, value),
  floats: (value, pbf) => {
    for (const item of value) pbf.writeFloatField(7, item);
  },
  ints: (value, pbf) => {
    for (const item of value) pbf.writeVarintField(8, item);
  },
};

function writeAttributeOf<T extends AttributeType>(attribute: AttributeOf<T>, pbf: PbfWriter): void {
  const { name, type, value } = attribute;
  pbf.writeStringField(1, name);
  attributeWriters[type as T](value, pbf);
  pbf.writeVarintField(ATTRIBUTE_TYPE_FIELD, attributeCodes[type]);
}

function writeAttribute(attribute: AttributeProto, pbf: PbfWriter): void {
  writeAttributeOf(attribute, pbf);
}

function writeNonEmpty(field: number, text: string, pbf: PbfWriter): void {
  if (text !== "") pbf.writeStringField(field, text);
}

function writeEntry(entry: StringEntry, pbf: PbfWriter): void {
  pbf.writeStringField(1, entry.key);
  pbf.writeStringField(2, entry.value);
}

function writeTensor(tensor: TensorProto, pbf: PbfWriter): void {
  for (const dim of tensor.dims) pbf.writeVarintField(1, dim);
  pbf.writeVarintField(2, dtypeCodes[tensor.dtype]);
  writeNonEmpty(8, tensor.name, pbf);
  if (tensor.rawData !== undefined) pbf.writeBytesField(9, tensor.rawData);
  if (tensor.external !== undefined) {
    const { location, offset, length } = tensor.external;
    pbf.writeMessage(13, writeEntry, { key: "location", value: location });
    pbf.writeMessage(13, writeEntry, { key: "offset", value: String(offset) });
    pbf.writeMessage(13, writeEntry, { key: "length", value: String(length) });
    pbf.writeVarintField(14, EXTERNAL_LOCATION);
  }
}

function writeDim(dim: number | string, pbf: PbfWriter): void {
  if (typeof dim === "number") pbf.writeVarintField(1, dim);
  else writeNonEmpty(2, dim, pbf);
}

function writeShape(shape: readonly (number | string)[], pbf: PbfWriter): void {
  for (const dim of shape) pbf.writeMessage(1, writeDim, dim);
}

function writeTensorType(value: ValueInfoProto, pbf: PbfWriter): void {
  pbf.writeVarintField(1, dtypeCodes[value.dtype]);
  pbf.writeMessage(2, writeShape, value.shape);
}

function writeType(value: ValueInfoProto, pbf: PbfWriter): void {
  pbf.writeMessage(1, writeTensorType, value);
}

function writeValueInfo(value: ValueInfoProto, pbf: PbfWriter): void {
  pbf.writeStringField(1, value.name);
  pbf.writeMessage(2, writeType, value);
}

function writeNode(node: NodeProto, pbf: PbfWriter): void {
  for (const name of node.input) pbf.writeStringField(1, name);
  for (const name of node.output) pbf.writeStringField(2, name);
  writeNonEmpty(3, node.name, pbf);
  pbf.writeStringField(4, node.opType);
  for (const attribute of node.attribute) pbf.writeMessage(5, writeAttribute, attribute);
  writeNonEmpty(7, node.domain, pbf);
}

function writeGraph(graph: GraphProto, pbf: PbfWriter): void {
  for (const node of graph.node) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, graph.name);
  for (const tensor of graph.initializer) pbf.writeMessage(5, writeTensor, tensor);
  for (const value of graph.input) pbf.writeMessage(11, writeValueInfo, value);
  for (const value of graph.output) pbf.writeMessage(12, writeValueInfo, value);
  for (const value of graph.valueInfo) pbf.writeMessage(13, writeValueInfo, value);
}

function writeOperatorSet(set: OperatorSetId, pbf: PbfWriter): void {
  pbf.writeStringField(1, set.domain);
  pbf.writeVarintField(2, set.version);
}

function writeModel(model: ModelProto, pbf: PbfWriter): void {
  pbf.writeVarintField(1, model.irVersion);
  writeNonEmpty(2, model.producerName, pbf);
  writeNonEmpty(3, model.producerVersion, pbf);
  pbf.writeMessage(7, writeGraph, model.graph);
  for (const set of model.opsetImport) pbf.writeMessage(8, writeOperatorSet, set);
  for (const entry of model.metadataProps ?? []) pbf.writeMessage(14, writeEntry, entry);
}

/** Room for the whole file, so that the writer seldom has to grow and copy what it holds. */
function estimateSize(graph: GraphProto): number {
  const perMessage = 256;
  const messages = graph.node.length * 2 + graph.initializer.length + graph.input.length + graph.output.length;
  const data = graph.initializer.reduce((sum, tensor) => sum + (tensor.rawData?.byteLength ?? 0), 0);
  return 1024 + messages * perMessage + data;
}

/**
 * The bytes of an `.onnx` file, equal to what Python's protobuf writes for the same message.
 * Below 2 GiB (protobuf's limit): larger weights belong into external data.
 */
export function encodeModel(model: ModelProto): Uint8Array<ArrayBuffer> {
  const pbf = new PbfWriter(new Uint8Array(estimateSize(model.graph)));
  writeModel(model, pbf);
  return pbf.finish() as Uint8Array<ArrayBuffer>;
}

const writeInitializer = (tensor: TensorProto, pbf: PbfWriter): void => pbf.writeMessage(5, writeTensor, tensor);

/** What adds an initialiser to an encoded model when put behind it: protobuf merges a second graph into the first. */
export function encodeInitializer(tensor: TensorProto): Uint8Array {
  const pbf = new PbfWriter(new Uint8Array(1024 + (tensor.rawData?.byteLength ?? 0)));
  pbf.writeMessage(7, writeInitializer, tensor);
  return pbf.finish();
}
