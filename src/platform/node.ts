import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { collectGarbage } from "./node-garbage.js";
import { nodeReading } from "./node-read.js";
import { nodeShared } from "./node-shared.js";
import { findWorker, spawnWorker, workerPort } from "./node-workers.js";
import { nodeWriting } from "./node-write.js";
import type { MemoryUsage, Platform } from "./types.js";

/** VmHWM counts this program alone; getrusage's maximum survives an exec and may be that of the parent. */
function peakResidentBytes(): number {
  if (process.platform === "linux") {
    try {
      const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
      if (match) return Number(match[1]) * 1024;
    } catch {
      // No /proc in this container: the next best figure follows.
    }
  }
  return process.resourceUsage().maxRSS * 1024;
}

function memoryUsage(): MemoryUsage {
  const rss = process.memoryUsage.rss();
  return { rss, peakRss: Math.max(rss, peakResidentBytes()) };
}

/** Node's files, threads and clock. */
export const platform: Platform = {
  name: "node",
  ...nodeReading,
  ...nodeWriting,
  ...nodeShared,
  join,
  dirname,
  basename: (path) => basename(path),
  extname,
  resolve: (path) => resolve(path),
  findWorker,
  spawnWorker,
  workerPort,
  now: () => performance.now(),
  memoryUsage,
  collectGarbage,
  cpuCount: () => availableParallelism(),
};
