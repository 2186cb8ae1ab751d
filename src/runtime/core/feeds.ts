import { GraftError } from "../../errors.js";
import {
  type Bindings,
  bindingFault,
  type DeclaredShape,
  declareShape,
  expressionFault,
} from "../../graph/bindings.js";
import type { DType, TensorData } from "../../tensor-data.js";
import type { InputDeclaration } from "../definition.js";

/** A declaration made ready for many checks. */
export interface CheckedInput extends DeclaredShape {
  readonly name: string;
  /** What messages call it. */
  readonly label: string;
  readonly dtype: DType;
}

export function prepareInput({ name, dtype, shape }: InputDeclaration): CheckedInput {
  return { name, label: `input "${name}"`, dtype, ...declareShape(shape) };
}

function shapeError(input: CheckedInput, actual: readonly number[], reason: string): GraftError {
  return new GraftError(
    "shape-mismatch",
    `${input.label} is declared [${input.shape.join(", ")}] and was given [${actual.join(", ")}]: ${reason}`,
    "Give a tensor of the declared shape; a named dimension has one value in all inputs of a run.",
  );
}

function checkDType(input: CheckedInput, tensor: TensorData): void {
  if (tensor.dtype !== input.dtype) {
    throw new GraftError(
      "dtype-mismatch",
      `${input.label} is declared ${input.dtype} and was given ${tensor.dtype}`,
      `Convert the tensor to ${input.dtype}.`,
    );
  }
}

/**
 * Checks tensors against their declarations before the engine sees them, and adds their dimensions to `bindings`.
 * @throws GraftError `dtype-mismatch` or `shape-mismatch`, naming the input.
 */
export function bindTensors(
  inputs: readonly CheckedInput[],
  tensorOf: (name: string) => TensorData,
  bindings: Bindings,
): void {
  const tensors = inputs.map((input) => tensorOf(input.name));
  inputs.forEach((input, i) => {
    checkDType(input, tensors[i] as TensorData);
    const { shape } = tensors[i] as TensorData;
    const fault = bindingFault(input, shape, input.name, bindings);
    if (fault) throw shapeError(input, shape, fault);
  });
  inputs.forEach((input, i) => {
    const { shape } = tensors[i] as TensorData;
    const fault = expressionFault(input, shape, bindings);
    if (fault) throw shapeError(input, shape, fault);
  });
}

/** @throws GraftError `invalid-argument` unless exactly the declared inputs were given. */
export function checkNames(inputs: readonly CheckedInput[], given: Readonly<Record<string, TensorData>>): void {
  const declared = inputs.map((input) => input.name);
  const missing = declared.filter((name) => given[name] === undefined);
  const unknown = Object.keys(given).filter((name) => !declared.includes(name));
  if (missing.length === 0 && unknown.length === 0) return;
  const parts = [
    ...(missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(unknown.length > 0 ? [`unknown: ${unknown.join(", ")}`] : []),
  ];
  throw new GraftError(
    "invalid-argument",
    `the inputs do not fit the program (${parts.join("; ")})`,
    `Its inputs are: ${declared.join(", ") || "none"}.`,
  );
}
