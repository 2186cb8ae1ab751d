import { GraftError } from "../errors.js";

/**
 * A dimension: a number, a name (`"batch"`), or an expression of names in canonical form (`"batch*sequence+8"`).
 * Two dimensions are equal when they are `===`; a named dimension is never taken to be 1.
 */
export type Dim = number | string;

/** The values of the named dimensions. */
export type DimBindings = Readonly<Record<string, number>>;

/** A polynomial with integer coefficients: monomial (names joined by `*`, "" for the constant) to coefficient. */
type Polynomial = ReadonlyMap<string, number>;

function parse(dim: Dim): Polynomial {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  const terms = new Map<string, number>();
  for (const term of dim.split("+")) {
    const factors = term.split("*");
    const coefficient = /^-?\d+$/.test(factors[0] as string) ? Number(factors.shift()) : 1;
    terms.set(factors.join("*"), coefficient);
  }
  return terms;
}

function format(polynomial: Polynomial): Dim {
  // The constant last, the monomials in the order of their names.
  const rank = (monomial: string): string => (monomial === "" ? "\uffff" : monomial);
  const terms = [...polynomial]
    .filter(([, coefficient]) => coefficient !== 0)
    .sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1));
  if (terms.length === 0) return 0;
  if (terms.length === 1 && terms[0]?.[0] === "") return terms[0][1];
  return terms
    .map(([monomial, coefficient]) =>
      monomial === "" ? String(coefficient) : coefficient === 1 ? monomial : `${coefficient}*${monomial}`,
    )
    .join("+");
}

/** a + b. */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum = new Map(parse(a));
  for (const [monomial, coefficient] of parse(b)) sum.set(monomial, (sum.get(monomial) ?? 0) + coefficient);
  return format(sum);
}

/** a * b. */
export function multiplyDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const product = new Map<string, number>();
  for (const [left, leftCoefficient] of parse(a)) {
    for (const [right, rightCoefficient] of parse(b)) {
      const names = [...left.split("*"), ...right.split("*")].filter((name) => name !== "");
      const monomial = names.sort().join("*");
      product.set(monomial, (product.get(monomial) ?? 0) + leftCoefficient * rightCoefficient);
    }
  }
  return format(product);
}

/** The product of all dimensions: a shape's element count. */
export function productOf(dims: readonly Dim[]): Dim {
  const numbers = dims.reduce<number>((product, dim) => (typeof dim === "number" ? product * dim : product), 1);
  const names = dims.filter((dim) => typeof dim === "string");
  return names.reduce<Dim>(multiplyDims, numbers);
}

/** The terms of a dimension, for engines that compute it: coefficient times the named dimensions. */
export function dimTerms(dim: Dim): { coefficient: number; names: string[] }[] {
  return [...parse(dim)].map(([monomial, coefficient]) => ({
    coefficient,
    names: monomial === "" ? [] : monomial.split("*"),
  }));
}

/**
 * The value of a dimension.
 * @throws GraftError `shape-mismatch` when a name is not bound.
 */
export function evaluateDim(dim: Dim, bindings: DimBindings): number {
  if (typeof dim === "number") return dim;
  let sum = 0;
  for (const { coefficient, names } of dimTerms(dim)) {
    let product = coefficient;
    for (const name of names) {
      const value = bindings[name];
      if (value === undefined) {
        throw new GraftError(
          "shape-mismatch",
          `dimension "${name}" has no value`,
          `Give an input whose shape holds "${name}", or bind it at compile time.`,
        );
      }
      product *= value;
    }
    sum += product;
  }
  return sum;
}

/** The values of a shape's dimensions. */
export function evaluateShape(shape: readonly Dim[], bindings: DimBindings): number[] {
  return shape.map((dim) => evaluateDim(dim, bindings));
}
