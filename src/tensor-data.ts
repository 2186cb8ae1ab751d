import { GraftError } from "./errors.js";

/** Element types, by ONNX's and PyTorch's common names. */
export type DType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool";

/** The typed array that holds a dtype's elements; the 16-bit floats are kept as their bits. */
export interface DTypeArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  int32: Int32Array;
  int16: Int16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

type ArrayConstructor<D extends DType> = {
  new (length: number): DTypeArrays[D];
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): DTypeArrays[D];
  readonly BYTES_PER_ELEMENT: number;
};

const arrayConstructors: { [D in DType]: ArrayConstructor<D> } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** A dense row-major tensor in memory. */
export interface TensorData<D extends DType = DType> {
  readonly dtype: D;
  /** Sizes, outermost first; [] for a scalar. */
  readonly shape: readonly number[];
  /** Elements, the last axis running fastest. */
  readonly data: DTypeArrays[D];
}

/** Numbers with a fraction. */
export const floatDTypes: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];

/** Whole numbers; bool holds 0 and 1. */
export const integerDTypes: readonly DType[] = ["int64", "int32", "int16", "int8", "uint8", "bool"];

/** Number of elements of a shape; 1 for a scalar (`[]`). */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return arrayConstructors[dtype].BYTES_PER_ELEMENT;
}

/** A zero-filled typed array for `length` elements. */
export function allocate<D extends DType>(dtype: D, length: number): DTypeArrays[D] {
  return new arrayConstructors[dtype](length);
}

/**
 * A tensor over existing elements.
 * @throws GraftError `shape-mismatch` when the element count is not the shape's.
 */
export function tensorData<D extends DType>(dtype: D, shape: readonly number[], data: DTypeArrays[D]): TensorData<D> {
  if (data.length !== elementCount(shape)) {
    throw new GraftError(
      "shape-mismatch",
      `a tensor of shape [${shape}] needs ${elementCount(shape)} elements, got ${data.length}`,
      "Give data and shape of the same tensor.",
    );
  }
  return { dtype, shape, data };
}

/** The elements that lie in `bytes` (little-endian); copied only where alignment demands it. */
export function arrayFromBytes<D extends DType>(dtype: D, bytes: Uint8Array): DTypeArrays[D] {
  const size = bytesPerElement(dtype);
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  return new arrayConstructors[dtype](aligned.buffer, aligned.byteOffset, aligned.byteLength / size);
}

/** The bytes of a tensor's elements (little-endian), without a copy. */
export function bytesOf(tensor: TensorData): Uint8Array {
  const { buffer, byteOffset, byteLength } = tensor.data;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function numberToBfloat16(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0] as number;
  if (Number.isNaN(value)) return 0x7fc0;
  // Round to nearest, ties to even, as PyTorch does.
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function numberToFloat16(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal in f16: the value in units of 2^-24, ties to even.
    const units = Math.abs(scratchFloat[0] as number) * 2 ** 24;
    const floor = Math.floor(units);
    const rest = units - floor;
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor);
  }
  const rounded = magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1);
  return sign | (rounded >>> 13);
}

/**
 * The elements as f32. f32 data is returned as it is, other types are converted (int64 through Number).
 * Exact for bf16, f16, bool and the small integers.
 */
export function toFloat32(tensor: TensorData): Float32Array {
  const { dtype, data } = tensor;
  if (dtype === "float32") return data as Float32Array;
  const out = new Float32Array(data.length);
  if (dtype === "bfloat16") {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < out.length; i++) bits[i] = (data[i] as number) << 16;
  } else if (dtype === "float16") {
    for (let i = 0; i < out.length; i++) out[i] = float16ToNumber(data[i] as number);
  } else {
    for (let i = 0; i < out.length; i++) out[i] = Number(data[i]);
  }
  return out;
}

/** f32 elements stored as another float type, rounded to nearest even. */
export function fromFloat32<D extends "float32" | "float16" | "bfloat16">(
  dtype: D,
  values: Float32Array,
): DTypeArrays[D] {
  if (dtype === "float32") return values as DTypeArrays[D];
  const convert = dtype === "float16" ? numberToFloat16 : numberToBfloat16;
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = convert(values[i] as number);
  return out as DTypeArrays[D];
}
