import { GraftError } from "../errors.js";
import { allocate, elementCount, floatDTypes, integerDTypes, type TensorData, toFloat32 } from "../tensor-data.js";
import type { NestedNumbers } from "./inputs.js";

/** The error for an input whose elements cannot be used. */
export function invalidInput(name: string, fault: string, hint: string): GraftError {
  return new GraftError("invalid-argument", `${name}: ${fault}`, hint);
}

function isTensor(value: TensorData | NestedNumbers): value is TensorData {
  return !Array.isArray(value) && typeof value === "object" && value !== null && "data" in value && "shape" in value;
}

function shapeOf(name: string, value: unknown): number[] {
  const shape: number[] = [];
  for (let level = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  if (shape.length > 0 && shape.length <= 8) return shape;
  throw invalidInput(
    name,
    `${String(value).slice(0, 40)} is neither a tensor nor a list of numbers`,
    "Give a tensor or nested lists.",
  );
}

/** Nested lists as one float64 tensor; every list of a level must have one length. */
function flatten(name: string, value: NestedNumbers): TensorData<"float64"> {
  const shape = shapeOf(name, value);
  const data = new Float64Array(elementCount(shape));
  let next = 0;
  const visit = (item: unknown, level: number): void => {
    if (level === shape.length) {
      if (typeof item !== "number") throw invalidInput(name, `${String(item)} is not a number`, "Give numbers only.");
      data[next++] = item;
      return;
    }
    if (!Array.isArray(item) || item.length !== shape[level]) {
      const found = Array.isArray(item) ? item.length : String(item);
      throw invalidInput(
        name,
        `lists of different lengths (${shape[level]} and ${found})`,
        "Pad all rows to one length.",
      );
    }
    for (const inner of item) visit(inner, level + 1);
  };
  visit(value, 0);
  return { dtype: "float64", shape, data };
}

/** An input as a tensor, and whether it was typed as lists: their numbers have no dtype of their own. */
export interface GivenInput {
  readonly tensor: TensorData;
  readonly fromLists: boolean;
}

/** @throws GraftError `invalid-argument` for lists that make no tensor */
export function givenInput(name: string, value: TensorData | NestedNumbers): GivenInput {
  return isTensor(value) ? { tensor: value, fromLists: false } : { tensor: flatten(name, value), fromLists: true };
}

export function isWhole({ dtype, data }: TensorData): boolean {
  return integerDTypes.includes(dtype) || (dtype === "float64" && data.every((x) => Number.isInteger(Number(x))));
}

/** @throws GraftError `dtype-mismatch` for other than whole numbers, `invalid-argument` for those beyond 32 bits */
export function toInt32(name: string, { tensor, fromLists }: GivenInput): TensorData<"int32"> {
  if (!(integerDTypes.includes(tensor.dtype) || (fromLists && isWhole(tensor)))) {
    throw new GraftError("dtype-mismatch", `${name} holds ${tensor.dtype}, not whole numbers`, "Give an int32 tensor.");
  }
  const data = allocate("int32", tensor.data.length);
  for (let i = 0; i < data.length; i++) {
    const value = Number(tensor.data[i]);
    data[i] = value;
    if (data[i] !== value) {
      throw invalidInput(name, `${value} does not fit 32 bits`, "Check where the numbers come from.");
    }
  }
  return { dtype: "int32", shape: tensor.shape, data };
}

/** @throws GraftError `dtype-mismatch` for integers, unless `fromIntegers` */
export function toFloats(name: string, { tensor }: GivenInput, fromIntegers = false): TensorData<"float32"> {
  if (!fromIntegers && !floatDTypes.includes(tensor.dtype)) {
    throw new GraftError(
      "dtype-mismatch",
      `${name} holds ${tensor.dtype}, not floats`,
      "Scale and normalise the pixels first, as the model's image processor does.",
    );
  }
  return { dtype: "float32", shape: tensor.shape, data: toFloat32(tensor) };
}
