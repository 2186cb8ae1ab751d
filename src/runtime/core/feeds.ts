import { GraftError } from "../../errors.js";
import { type Dim, dimTerms, evaluateDim } from "../../graph/dim.js";
import type { DType, TensorData } from "../../tensor-data.js";
import type { InputDeclaration } from "../definition.js";

/** Values of the named dimensions in one run, and the input that gave each. */
export interface Bindings {
  readonly values: Record<string, number>;
  readonly givenBy: Record<string, string>;
}

/** A declaration made ready for many checks. */
export interface CheckedInput {
  readonly name: string;
  /** What messages call it. */
  readonly label: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** Per dimension: its number, its name, or undefined for an expression, which is checked last. */
  readonly fixed: readonly (number | undefined)[];
  readonly named: readonly (string | undefined)[];
}

function nameOf(dim: Dim): string | undefined {
  if (typeof dim === "number") return undefined;
  const [first, ...others] = dimTerms(dim);
  return others.length === 0 && first?.coefficient === 1 && first.names.length === 1 ? first.names[0] : undefined;
}

export function prepareInput({ name, dtype, shape }: InputDeclaration): CheckedInput {
  return {
    name,
    label: `input "${name}"`,
    dtype,
    shape,
    fixed: shape.map((dim) => (typeof dim === "number" ? dim : undefined)),
    named: shape.map(nameOf),
  };
}

export function emptyBindings(): Bindings {
  return { values: {}, givenBy: {} };
}

export function copyBindings({ values, givenBy }: Bindings): Bindings {
  return { values: { ...values }, givenBy: { ...givenBy } };
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

function bindDims(input: CheckedInput, actual: readonly number[], { values, givenBy }: Bindings): void {
  if (actual.length !== input.shape.length) {
    throw shapeError(input, actual, `${input.shape.length} dimensions are needed`);
  }
  for (let i = 0; i < actual.length; i++) {
    const value = actual[i] as number;
    const fixed = input.fixed[i];
    if (fixed !== undefined && fixed !== value) throw shapeError(input, actual, `dimension ${i} must be ${fixed}`);
    const name = input.named[i];
    if (name === undefined) continue;
    const bound = values[name];
    if (bound === undefined) {
      values[name] = value;
      givenBy[name] = input.name;
    } else if (bound !== value) {
      throw shapeError(input, actual, `"${name}" is ${value} here and ${bound} in "${givenBy[name]}"`);
    }
  }
}

function checkExpressions(input: CheckedInput, actual: readonly number[], { values }: Bindings): void {
  for (let i = 0; i < actual.length; i++) {
    if (input.fixed[i] !== undefined || input.named[i] !== undefined) continue;
    const dim = input.shape[i] as Dim;
    const needed = evaluateDim(dim, values);
    if (actual[i] !== needed) throw shapeError(input, actual, `dimension ${i} (${dim}) must be ${needed}`);
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
    bindDims(input, (tensors[i] as TensorData).shape, bindings);
  });
  inputs.forEach((input, i) => {
    checkExpressions(input, (tensors[i] as TensorData).shape, bindings);
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
