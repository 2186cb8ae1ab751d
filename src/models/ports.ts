import type { Dim, Tensor } from "../graph/index.js";

/**
 * A tensor that a network reads or gives. Ports stand in records under their name in TypeScript (`inputIds`); graphs
 * and Python have it in snake_case (`input_ids`, see `case.ts`).
 */
export interface Port {
  readonly dtype: "int32" | "float32";
  /** Sizes, and named dimensions such as "batch" and "sequence". */
  readonly shape: readonly Dim[];
  readonly required?: boolean;
  /** Taken for the callers' sake, and never read. */
  readonly isIgnored?: boolean;
  /** Elements lie in 0 <= element < below. */
  readonly below?: { readonly limit: number; readonly why: string };
  /** Largest value of the dimension "sequence". */
  readonly longest?: { readonly limit: number; readonly why: string };
  /** Largest value of the dimension "batch". */
  readonly rows?: { readonly limit: number; readonly why: string; readonly hint: string };
  /** Where a port takes any length of "sequence": what rows are cut to unless the caller says otherwise. */
  readonly usualLength?: number;
}

/** Ports by their name in TypeScript, in the order in which programs have them. */
export type Ports = { readonly [name: string]: Port | undefined };

/** What a forward pass is given, by name in TypeScript; inputs that the caller left out are undefined. */
export type NetworkInputs = { readonly [name: string]: Tensor | undefined };

/** What a forward pass gives, by name in TypeScript. */
export type NetworkOutputs = { readonly [name: string]: Tensor | undefined };

/** The ports of a record with their names. */
export function portsOf(ports: Ports): [name: string, port: Port][] {
  return Object.entries(ports).flatMap(([name, port]) => (port ? [[name, port]] : []));
}
