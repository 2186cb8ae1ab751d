import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import type { FrozenPrecisionReport } from "graft-peft";
import { renderTable } from "#graft/cli/shell/table";
import type { BackendName } from "#graft/runtime/index";
import { type ChildResult, jsonOf, runReference, runSide, SkippedSide } from "./child.js";
import { layerProducts, modelShape, stepFlops } from "./flops.js";
import { cacheFolder, type JobFolders, jobFolders } from "./folders.js";
import { type StepJobName, sequenceLength, stepJobs, WARM_UP } from "./jobs.js";
import type { BenchOptions } from "./options.js";
import type { GraftStepResult, StepResult } from "./sides/step.js";
import { alternate, chosenSides, type Rounds, type SideName, sideTitles, skippedLines } from "./sides.js";
import { median, percent, seconds, sum, times } from "./statistics.js";

type SideResult = StepResult & Partial<GraftStepResult> & { readonly sgemmGflops?: Readonly<Record<string, number>> };

/** What one side did over all rounds. */
interface SideSummary {
  readonly medianSeconds: number;
  readonly minSeconds: number;
  readonly peakMemoryMB: number;
  readonly losses: readonly number[];
  /** Graft: shares of the step outside ONNX Runtime, and of the optimiser alone. */
  readonly outsideEngine?: number;
  readonly optimizer?: number;
  readonly frozenPrecision?: FrozenPrecisionReport;
}

export interface StepReport {
  readonly job: StepJobName;
  readonly cpu: string;
  readonly threads: number;
  /** What computed on Graft's sides. */
  readonly backend: BackendName;
  readonly gflop: number;
  readonly sgemmGflops: { readonly onnxRuntime: Record<string, number>; readonly pytorch?: Record<string, number> };
  readonly engineLimitSeconds: number;
  readonly sides: Partial<Record<SideName, SideSummary>>;
  readonly skipped: Partial<Record<SideName, string>>;
}

function summary(results: readonly SideResult[]): SideSummary {
  const steps = results.flatMap(({ stepSeconds }) => stepSeconds);
  const engine = results.flatMap(({ engineSeconds }) => engineSeconds ?? []);
  const optimizer = results.flatMap(({ optimizerSeconds }) => optimizerSeconds ?? []);
  return {
    medianSeconds: median(steps),
    minSeconds: Math.min(...steps),
    peakMemoryMB: Math.max(...results.map(({ peakMemoryMB }) => peakMemoryMB)),
    losses: results[0]!.losses,
    ...(results[0]!.frozenPrecision && { frozenPrecision: results[0]!.frozenPrecision }),
    ...(engine.length > 0 && {
      outsideEngine: 1 - sum(engine) / sum(steps),
      optimizer: sum(optimizer) / sum(steps),
    }),
  };
}

function runStepSide(side: SideName, job: StepJobName, folders: JobFolders, options: BenchOptions) {
  const { threads, steps, backend, microBatch } = options;
  const [runtime, precision] = side.split("-");
  if (runtime === "graft") return runSide("step", { job, ...folders, precision, threads, steps, backend, microBatch });
  const flags = { job, folder: folders.folder, precision, threads, steps, "warm-up": WARM_UP };
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return runReference("bench_step.py", args) as Promise<ChildResult>;
}

type Rates = Record<string, number>;

function fasterRates(a: Rates, b: Rates): Rates {
  return Object.fromEntries(Object.entries(a).map(([shape, rate]) => [shape, Math.max(rate, b[shape] ?? 0)]));
}

/** @throws SkippedSide where int8 was asked for and float32 was used */
export function asAsked<R extends Pick<SideResult, "frozenPrecision">>(result: R): R {
  if (result.frozenPrecision?.used === "f32") throw new SkippedSide(result.frozenPrecision.reason);
  return result;
}

/** One of the four jobs: every side in processes of its own, in turn. */
export async function stepBenchmark(job: StepJobName, options: BenchOptions): Promise<StepReport> {
  const sides = chosenSides(Object.keys(sideTitles) as SideName[], options.sides);
  const folders = await jobFolders(job, cacheFolder(options.cache));
  const config = JSON.parse(await readFile(join(folders.model, "config.json"), "utf8")) as Record<string, unknown>;
  const shape = modelShape(config, sequenceLength[job]);
  const shapes = layerProducts(shape, stepJobs[job].batch);
  const sgemm = async () => jsonOf<Rates>(await runSide("sgemm", { threads: options.threads, shapes }));
  const before = await sgemm();
  const { results, skipped }: Rounds<SideName, SideResult> = await alternate(sides, options.rounds, async (side) =>
    asAsked(jsonOf<SideResult>(await runStepSide(side, job, folders, options))),
  );
  // A machine that was busy for a moment must not make the limit look higher.
  const onnxRuntime = fasterRates(before, await sgemm());
  const gflop = 1e-9 * stepFlops(shape, stepJobs[job]);
  const pytorch = results.get("pytorch-f32")?.at(-1)?.sgemmGflops;
  return {
    job,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    threads: options.threads,
    backend: options.backend,
    gflop,
    sgemmGflops: { onnxRuntime, ...(pytorch && { pytorch }) },
    engineLimitSeconds: gflop / onnxRuntime.layer!,
    sides: Object.fromEntries([...results].map(([side, all]) => [side, summary(all)])),
    skipped: Object.fromEntries(skipped),
  };
}

function lossLines({ sides }: StepReport): string[] {
  const peer = sides["pytorch-f32"]?.losses;
  return Object.entries(sides).map(([side, { losses }]) => {
    const gaps = peer?.map((loss, step) => Math.abs(loss - (losses[step] ?? Number.NaN)));
    const gap =
      gaps && side !== "pytorch-f32" ? `; at most ${Math.max(...gaps).toExponential(1)} from PyTorch f32` : "";
    return `losses ${side}: ${losses.map((loss) => loss.toFixed(5)).join(" ")}${gap}`;
  });
}

function precisionLines({ sides }: StepReport): string[] {
  return Object.entries(sides).flatMap(([side, { frozenPrecision }]) =>
    frozenPrecision ? [`${side}: ${frozenPrecision.reason}`] : [],
  );
}

/** The report for people. */
export function stepTable(report: StepReport): string {
  const { sides, backend, sgemmGflops, engineLimitSeconds } = report;
  const against = (peer: SideName, own: SideSummary) => {
    const other = sides[peer];
    return times(other && other.medianSeconds / own.medianSeconds);
  };
  // The limit is the CPU's.
  const ofLimit = (side: string, measured: number) =>
    times(side.startsWith("graft") && backend !== "cpu" ? undefined : measured / engineLimitSeconds);
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    "step",
    "fastest",
    "of limit",
    "fastest of limit",
    "faster than f32",
    "than bf16",
    "VmHWM",
    "outside ORT",
    "optimiser",
  ];
  const rows = Object.entries(sides).map(([side, own]) => [
    sideTitles[side as SideName],
    seconds(own.medianSeconds),
    seconds(own.minSeconds),
    ofLimit(side, own.medianSeconds),
    ofLimit(side, own.minSeconds),
    against("pytorch-f32", own),
    against("pytorch-bf16", own),
    `${own.peakMemoryMB.toFixed(0)} MiB`,
    percent(own.outsideEngine),
    percent(own.optimizer),
  ]);
  const rates = Object.entries(sgemmGflops).flatMap(([engine, byShape]) =>
    Object.entries(byShape).map(([shape, rate]) => `sgemm ${engine} ${shape}: ${rate.toFixed(1)} GFLOPS`),
  );
  return [
    `${report.job} on ${report.cpu}, ${report.threads} threads${backend === "cpu" ? "" : `; Graft on ${backend}`}`,
    ...rates,
    `engine limit: ${report.gflop.toFixed(1)} GFLOP in matrix products / ONNX Runtime's sgemm rate of a layer = ${seconds(engineLimitSeconds)}`,
    "",
    renderTable([{ title: "side" }, ...columns.map(right)], rows),
    "",
    ...lossLines(report),
    ...precisionLines(report),
    skippedLines(new Map(Object.entries(report.skipped))),
  ].join("\n");
}
