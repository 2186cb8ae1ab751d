import type { PbfReader } from "pbf";
import { allocate, type DType } from "../../tensor-data.js";

/** A field of TensorProto that holds elements one by one instead of as raw bytes. */
export type TypedDataField = "floatData" | "int32Data" | "int64Data" | "doubleData";

/** Where TensorProto keeps the elements of each dtype when they are not raw. */
const fieldOf: { readonly [D in DType]: TypedDataField } = {
  float32: "floatData",
  float64: "doubleData",
  int64: "int64Data",
  int32: "int32Data",
  int16: "int32Data",
  int8: "int32Data",
  uint8: "int32Data",
  bool: "int32Data",
  float16: "int32Data",
  bfloat16: "int32Data",
};

export type TypedData = { [F in TypedDataField]?: F extends "int64Data" ? bigint[] : number[] };

/** A signed 64-bit varint, exact beyond 2^53 (slices end at 2^63 - 1). */
function readBigVarint(pbf: PbfReader): bigint {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = pbf.buf[pbf.pos++] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  return BigInt.asIntN(64, value);
}

/** Reads a packed or unpacked list of int64 and appends it. */
export function readBigVarints(pbf: PbfReader, into: bigint[]): bigint[] {
  const end = pbf.readPackedEnd();
  while (pbf.pos < end) into.push(readBigVarint(pbf));
  return into;
}

/** The elements as raw little-endian bytes; undefined when the tensor has none in its typed field. */
export function rawFromTypedData(dtype: DType, typed: TypedData): Uint8Array | undefined {
  const values = typed[fieldOf[dtype]];
  if (values === undefined) return undefined;
  const array = allocate(dtype, values.length);
  for (let i = 0; i < values.length; i++) array[i] = values[i] as number | bigint;
  return new Uint8Array(array.buffer);
}
