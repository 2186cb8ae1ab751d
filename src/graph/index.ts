import "./ops/index.js";

export type { OpAttributes, OpName } from "./attributes.js";
export * from "./bindings.js";
export * from "./dim.js";
export * from "./functions.js";
export * from "./losses.js";
export { applyOp, withScope } from "./op.js";
export { ops } from "./ops/index.js";
export * from "./tensor.js";
export { nodesInOrder } from "./topology.js";
