import type { DType } from "../tensor-data.js";

/** How the format spells each dtype. */
export const safetensorsNames: { readonly [D in DType]: string } = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};

const byName = new Map(Object.entries(safetensorsNames).map(([dtype, name]) => [name, dtype as DType]));

/** The dtype that the format spells `name`; `undefined` for one that Graft has no arrays for. */
export function dtypeOfName(name: string): DType | undefined {
  return byName.get(name);
}

/** Bits of an element of the dtypes that the format has and Graft has no arrays for. */
export const unreadableBits: ReadonlyMap<string, number> = new Map([
  ["U16", 16],
  ["U32", 32],
  ["U64", 64],
  ["C64", 64],
  ["F4", 4],
  ["F6_E2M3", 6],
  ["F6_E3M2", 6],
  ["F8_E4M3", 8],
  ["F8_E5M2", 8],
  ["F8_E8M0", 8],
]);

/**
 * The order in which the reference writer lays tensors out: the widest first, so that every tensor is aligned; among
 * equal widths the later one of the format's own list of types.
 */
export const writingOrder: readonly DType[] = [
  "int64",
  "float64",
  "float32",
  "int32",
  "bfloat16",
  "float16",
  "int16",
  "int8",
  "uint8",
  "bool",
];
