import { GraftError } from "../errors.js";
import type { OpAttributes, OpName } from "./attributes.js";
import { describeType, type Node, type Origin, type Tensor, type TensorType } from "./tensor.js";

/** What a gradient rule may look at. */
export interface GradientContext<K extends OpName> {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: OpAttributes[K];
  /** d loss / d output; null where the output does not reach the loss. */
  readonly outputGradients: readonly (Tensor | null)[];
  /** Which inputs lead to a trainable tensor: the others' gradients need not be written. */
  readonly needed: readonly boolean[];
}

/** Writes d loss / d input for each needed input (null elsewhere). */
export type GradientRule<K extends OpName> = (context: GradientContext<K>) => (Tensor | null)[];

/** An operator: its shape and dtype rule beside its gradient rule (null: not differentiable). */
export interface OpDefinition<K extends OpName> {
  readonly inferTypes: (inputs: readonly TensorType[], attributes: OpAttributes[K]) => TensorType[];
  readonly gradient: GradientRule<K> | null;
}

export type OpTable<K extends OpName> = { readonly [P in K]: OpDefinition<P> };

let installed: OpTable<OpName> | undefined;

/** Gives `apply` the table of operators. The table's gradient rules call `apply`, so it cannot import the table itself. */
export function installOps(table: OpTable<OpName>): void {
  installed = table;
}

let currentScope = "";

/** Runs `write` with `path` as the module path of all nodes it writes. */
export function withScope<T>(path: string, write: () => T): T {
  const outer = currentScope;
  currentScope = path;
  try {
    return write();
  } finally {
    currentScope = outer;
  }
}

/** A broken shape or dtype rule, thrown by `inferTypes`; `apply` adds the operator, the operands and the module. */
export class TypeRuleError extends Error {}

/**
 * Writes one node.
 * @returns its outputs
 * @throws GraftError `shape-mismatch` naming operator, operand types and module path
 */
export function apply<K extends OpName>(op: K, inputs: readonly Tensor[], attributes: OpAttributes[K]): Tensor[] {
  if (!installed) throw new Error("the table of operators is not installed: import graph/index.js");
  const outputs: Tensor[] = [];
  const node: Node<K> = { op, inputs, attributes, outputs, scope: currentScope };
  for (const [output, type] of inferOrExplain(installed[op], node).entries()) {
    const origin: Origin = { kind: "node", node: node as unknown as Node, output };
    outputs.push({ dtype: type.dtype, shape: type.shape, origin });
  }
  return outputs;
}

function inferOrExplain<K extends OpName>(definition: OpDefinition<K>, node: Node<K>): TensorType[] {
  try {
    return definition.inferTypes(node.inputs, node.attributes);
  } catch (error) {
    if (!(error instanceof TypeRuleError)) throw error;
    const operands = node.inputs.map(describeType).join(", ");
    const attributes = Object.keys(node.attributes).length > 0 ? ` with ${JSON.stringify(node.attributes)}` : "";
    throw new GraftError(
      "shape-mismatch",
      `${node.op}(${operands})${attributes}: ${error.message}${node.scope ? ` (in ${node.scope})` : ""}`,
      "Check the shapes that reach this operator: a weight of another size, or an input with axes in another order.",
    );
  }
}

/** `apply` for a node that was written before, under its own module path. */
export function applyOp<K extends OpName>(
  op: K,
  inputs: readonly Tensor[],
  attributes: OpAttributes[K],
  scope: string,
): Tensor[] {
  return withScope(scope, () => apply(op, inputs, attributes));
}
