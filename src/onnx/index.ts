export * from "./lowering/index.js";
export { modelOf } from "./model.js";
export { applyPeepholes } from "./peepholes/index.js";
export * from "./proto/index.js";
