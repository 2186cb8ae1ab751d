export type { FrozenPrecision, PreparedModel } from "./frozen-precision.js";
export { largestError, type ProductDecision } from "./int8/guard.js";
export { Int8Precision, type Int8PrecisionOptions } from "./int8/int8-precision.js";
export { int8Products } from "./int8/products.js";
export { type FrozenPrecisionName, frozenPrecisions } from "./precisions.js";
export { type FrozenPrecisionReport, precisionFile, readPrecisionReport, writePrecisionReport } from "./report.js";
