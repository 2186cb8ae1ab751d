export { methodOf } from "./definition/method.js";
export { readRunFile } from "./definition/read.js";
export { type CompleteRun, type Run, runOf, type Setting } from "./definition/run.js";
export { type InspectedData, type InspectedToken, inspectData } from "./inspect/data.js";
export type { Notices } from "./notices.js";
export { type ExecuteOptions, executeRun, type RunResult } from "./training/execute.js";
export { type PreparedRun, prepareRun, type RunOptions } from "./training/prepare.js";
