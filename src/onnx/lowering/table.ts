import type { Node, OpName } from "../../graph/index.js";
import type { Deferred, Emitter } from "./emitter.js";

/** Writes a node's ONNX form and returns the names of its outputs. */
export type LoweringRule<K extends OpName> = (node: Node<K>, emitter: Emitter) => string | readonly string[] | Deferred;

/** How each operator is written for one backend. */
export type LoweringTable = { readonly [K in OpName]: LoweringRule<K> };
