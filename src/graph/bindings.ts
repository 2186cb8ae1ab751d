import { type Dim, dimTerms, evaluateDim } from "./dim.js";

/** Values of the named dimensions of some tensors, and the tensor that gave each. */
export interface Bindings {
  readonly values: Record<string, number>;
  readonly givenBy: Record<string, string>;
}

/** A declared shape, made ready for many checks. */
export interface DeclaredShape {
  readonly shape: readonly Dim[];
  /** Per dimension: its number, its name, or undefined for an expression, which is checked last. */
  readonly fixed: readonly (number | undefined)[];
  readonly named: readonly (string | undefined)[];
}

export function emptyBindings(): Bindings {
  return { values: {}, givenBy: {} };
}

export function copyBindings({ values, givenBy }: Bindings): Bindings {
  return { values: { ...values }, givenBy: { ...givenBy } };
}

function nameOf(dim: Dim): string | undefined {
  if (typeof dim === "number") return undefined;
  const [first, ...others] = dimTerms(dim);
  return others.length === 0 && first?.coefficient === 1 && first.names.length === 1 ? first.names[0] : undefined;
}

export function declareShape(shape: readonly Dim[]): DeclaredShape {
  return {
    shape,
    fixed: shape.map((dim) => (typeof dim === "number" ? dim : undefined)),
    named: shape.map(nameOf),
  };
}

/**
 * Compares a tensor's shape with its declaration and adds the values of named dimensions to `bindings`. Expressions
 * are left to `expressionFault`, when all names have values.
 * @returns what does not fit, in words
 */
export function bindingFault(
  { shape, fixed, named }: DeclaredShape,
  actual: readonly number[],
  by: string,
  { values, givenBy }: Bindings,
): string | undefined {
  if (actual.length !== shape.length) return `${shape.length} dimensions are needed`;
  for (let i = 0; i < actual.length; i++) {
    const value = actual[i] as number;
    if (fixed[i] !== undefined && fixed[i] !== value) return `dimension ${i} must be ${fixed[i]}`;
    const name = named[i];
    if (name === undefined) continue;
    const bound = values[name];
    if (bound === undefined) {
      values[name] = value;
      givenBy[name] = by;
    } else if (bound !== value) {
      return `"${name}" is ${value} here and ${bound} in "${givenBy[name]}"`;
    }
  }
  return undefined;
}

/**
 * Compares the dimensions that are expressions of others ("past+sequence") with what the names are bound to.
 * @returns what does not fit, in words
 * @throws GraftError `shape-mismatch` when a name has no value
 */
export function expressionFault(
  { shape, fixed, named }: DeclaredShape,
  actual: readonly number[],
  { values }: Bindings,
): string | undefined {
  for (let i = 0; i < actual.length; i++) {
    if (fixed[i] !== undefined || named[i] !== undefined) continue;
    const dim = shape[i] as Dim;
    const needed = evaluateDim(dim, values);
    if (actual[i] !== needed) return `dimension ${i} (${dim}) must be ${needed}`;
  }
  return undefined;
}
