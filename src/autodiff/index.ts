export { type FiniteDifferenceRequest, finiteDifferences } from "./finite-differences.js";
export { gradients } from "./gradients.js";
