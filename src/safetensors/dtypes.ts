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

/** Spelled in the format's own documentation, but without a use in the models that Graft runs. */
export const unsupportedNames: ReadonlySet<string> = new Set([
  "U16",
  "U32",
  "U64",
  "C64",
  "F4",
  "F6_E2M3",
  "F6_E3M2",
  "F8_E4M3",
  "F8_E5M2",
  "F8_E8M0",
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
