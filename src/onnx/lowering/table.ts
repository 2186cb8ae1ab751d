import type { Node, OpName } from "../../graph/index.js";
import type { Emitter } from "./emitter.js";

/** A node's one output, written only when somebody reads it by name. */
export interface Deferred {
  readonly write: () => string;
  /** Whether each reader has it written anew, so that it need not live from the first to the last. Default false. */
  readonly again?: boolean;
}

/** Writes a node's ONNX form and returns the names of its outputs. */
export type LoweringRule<K extends OpName> = (node: Node<K>, emitter: Emitter) => string | readonly string[] | Deferred;

/** How each operator is written for one backend. */
export type LoweringTable = { readonly [K in OpName]: LoweringRule<K> };
