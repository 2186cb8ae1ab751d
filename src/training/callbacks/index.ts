export { EarlyStoppingCallback, type EarlyStoppingOptions, metricKey } from "./early-stopping.js";
export { EventLogCallback } from "./event-log.js";
export { decideAfterEpoch, decideAfterStep } from "./flow.js";
export { CallbackHandler } from "./handler.js";
export { PrinterCallback } from "./printer.js";
export { ProgressMeter, quantizeProgress } from "./progress.js";
export { type CallbackEvent, newControl, type Progress, type TrainerCallback, type TrainerControl } from "./types.js";
