export { type BatchCut, type BatchSize, fixedCut, pieceOf, requireRows, sizeOf } from "./cut.js";
export { MeasuredCut, type MeasuredCutOptions } from "./measured-cut.js";
export { type MicroBatchReport, microBatchFile, type PieceMeasurement } from "./report.js";
