import { cpus } from "node:os";
import { jsonOf, runSide } from "./child.js";
import { cacheFolder, jobFolders } from "./folders.js";
import type { BenchOptions } from "./options.js";
import type { SwitchResult } from "./sides/switch.js";
import { median, seconds } from "./statistics.js";

const job = "vit-base";

export interface SwitchReport {
  readonly cpu: string;
  readonly threads: number;
  readonly steadySeconds: number;
  readonly switchedSeconds: number;
  readonly sessions: number;
  readonly bytesUploaded: number;
}

/** What a switch between two adapters of equal form costs: predictions of one picture with and without one before them, in turn. */
export async function switching({ cache, threads, steps, backend }: BenchOptions): Promise<SwitchReport> {
  const folders = await jobFolders(job, cacheFolder(cache));
  const options = { job, ...folders, precision: "f32", threads, steps, backend };
  const { steady, switched, sessions, bytesUploaded } = jsonOf<SwitchResult>(await runSide("switch", options));
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    threads,
    steadySeconds: median(steady),
    switchedSeconds: median(switched),
    sessions,
    bytesUploaded,
  };
}

export function switchingText(report: SwitchReport): string {
  const { cpu, threads, steadySeconds, switchedSeconds, sessions, bytesUploaded } = report;
  return [
    `${cpu}, ${threads} threads; ${job}, one picture`,
    `predict: ${seconds(steadySeconds)}; switch and predict: ${seconds(switchedSeconds)}`,
    `sessions made: ${sessions}; bytes sent: ${bytesUploaded}`,
  ].join("\n");
}
