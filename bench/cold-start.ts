import { cpus } from "node:os";
import { renderTable } from "#graft/cli/shell/table";
import { type ChildResult, jsonOf, runReference, runSide } from "./child.js";
import { cacheFolder, type JobFolders, jobFolders } from "./folders.js";
import type { StepJobName } from "./jobs.js";
import type { BenchOptions } from "./options.js";
import type { FirstStep } from "./sides/cold.js";
import { alternate, chosenSides, type SideName, sideTitles, skippedLines } from "./sides.js";
import { median, seconds, times } from "./statistics.js";

const jobs = ["vit-base", "minilm"] as const satisfies readonly StepJobName[];
const sides = ["graft-f32", "graft-int8", "pytorch-f32"] as const satisfies readonly SideName[];
type ColdSide = (typeof sides)[number];

interface ColdStart {
  readonly seconds: readonly number[];
  readonly medianSeconds: number;
  /** Graft: median seconds of the step inside ONNX Runtime. */
  readonly engineSeconds?: number;
  readonly loss: number;
}

export interface ColdStartReport {
  readonly cpu: string;
  readonly threads: number;
  readonly jobs: Readonly<
    Record<string, { sides: Partial<Record<ColdSide, ColdStart>>; skipped: Partial<Record<ColdSide, string>> }>
  >;
}

function runColdSide(side: ColdSide, job: StepJobName, folders: JobFolders, threads: number): Promise<ChildResult> {
  const [runtime, precision] = side.split("-");
  if (runtime === "graft") return runSide("cold", { job, ...folders, precision, threads });
  return runReference("cold_start.py", ["--job", job, "--folder", folders.folder, "--threads", String(threads)]);
}

/** Seconds from the start of a process to the loss that it prints after its first step; the first round warms the file cache. */
export async function coldStart(options: BenchOptions): Promise<ColdStartReport> {
  const wanted = chosenSides(sides, options.sides);
  const reports: Record<string, ColdStartReport["jobs"][string]> = {};
  for (const job of jobs) {
    const folders = await jobFolders(job, cacheFolder(options.cache));
    const { results, skipped } = await alternate(wanted, options.rounds + 1, async (side) => {
      const child = await runColdSide(side, job, folders, options.threads);
      // The Python side prints its loss alone.
      const printed = jsonOf<FirstStep | number>(child);
      const step = typeof printed === "number" ? { loss: printed } : printed;
      return { ...step, seconds: child.firstOutputSeconds };
    });
    const summaries = [...results].map(([side, runs]) => {
      const measured = runs.slice(1).map((run) => run.seconds);
      const engine = runs.slice(1).flatMap((run) => ("engineSeconds" in run ? [run.engineSeconds] : []));
      return [
        side,
        {
          seconds: measured,
          medianSeconds: median(measured),
          ...(engine.length > 0 && { engineSeconds: median(engine) }),
          loss: runs[0]!.loss,
        },
      ] as const;
    });
    reports[job] = { sides: Object.fromEntries(summaries), skipped: Object.fromEntries(skipped) };
  }
  return { cpu: cpus()[0]?.model.trim() ?? "unknown", threads: options.threads, jobs: reports };
}

export function coldStartTable(report: ColdStartReport): string {
  const rows = Object.entries(report.jobs).flatMap(([job, { sides: measured }]) =>
    Object.entries(measured).map(([side, own]) => {
      const peer = measured["pytorch-f32"];
      return [
        job,
        sideTitles[side as SideName],
        seconds(own.medianSeconds),
        seconds(Math.min(...own.seconds)),
        own.engineSeconds === undefined ? "-" : seconds(own.engineSeconds),
        times(peer && peer.medianSeconds / own.medianSeconds),
        own.loss.toFixed(4),
      ];
    }),
  );
  const columns = [
    { title: "job" },
    { title: "side" },
    ...["first step after", "fastest", "in ONNX Runtime", "sooner than PyTorch", "loss"].map((title) => ({
      title,
      align: "right" as const,
    })),
  ];
  const skipped = Object.entries(report.jobs).map(([job, { skipped: reasons }]) =>
    skippedLines(new Map(Object.entries(reasons).map(([side, reason]) => [`${job} ${side}`, reason]))),
  );
  return [`${report.cpu}, ${report.threads} threads`, renderTable(columns, rows), ...skipped].join("\n");
}
