import type { Platform } from "./types.js";
import { webReading, webWriting } from "./web-files.js";
import { basename, dirname, extname, join, normalise } from "./web-paths.js";
import { webShared } from "./web-shared.js";
import { findWorker, spawnWorker, workerPort } from "./web-workers.js";

/** The browser's files, workers and clock. */
export const platform: Platform = {
  name: "web",
  ...webReading,
  ...webWriting,
  ...webShared,
  join,
  dirname,
  basename,
  extname,
  resolve: normalise,
  findWorker,
  spawnWorker,
  workerPort,
  now: () => performance.now(),
  memoryUsage: () => undefined,
  collectGarbage: () => undefined,
  cpuCount: () => navigator.hardwareConcurrency || 1,
};
