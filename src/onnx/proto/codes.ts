import { GraftError } from "../../errors.js";
import type { DType } from "../../tensor-data.js";
import type { AttributeType } from "./types.js";

/** TensorProto.DataType. */
export const dtypeCodes: { readonly [D in DType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** AttributeProto.AttributeType. */
export const attributeCodes: { readonly [T in AttributeType]: number } = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  floats: 6,
  ints: 7,
};

const dtypesByCode = new Map(Object.entries(dtypeCodes).map(([dtype, code]) => [code, dtype as DType]));
const attributeTypesByCode = new Map(
  Object.entries(attributeCodes).map(([type, code]) => [code, type as AttributeType]),
);

/** @throws GraftError `unsupported` for element types that Graft has no tensors of (strings, complex numbers, ...). */
export function dtypeOfCode(code: number, owner: string): DType {
  const dtype = dtypesByCode.get(code);
  if (dtype !== undefined) return dtype;
  throw new GraftError(
    "unsupported",
    `"${owner}" has ONNX element type ${code}, which Graft does not read`,
    `Known types: ${[...dtypesByCode].map(([known, name]) => `${known} ${name}`).join(", ")}.`,
  );
}

/** @throws GraftError `unsupported` for attributes that hold graphs, string lists, ... */
export function attributeTypeOfCode(code: number, owner: string): AttributeType {
  const type = attributeTypesByCode.get(code);
  if (type !== undefined) return type;
  throw new GraftError(
    "unsupported",
    `attribute "${owner}" has ONNX attribute type ${code}, which Graft does not read`,
    "Only graphs without control flow and without string lists are supported.",
  );
}
