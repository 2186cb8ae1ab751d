import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { readPrecisionReport } from "graft-peft";
import { renderTable } from "#graft/cli/shell/table";
import { jsonOf, runChild, runReference, SkippedSide } from "./child.js";
import { assetsFolder } from "./folders.js";
import type { BenchOptions } from "./options.js";
import { alternate, chosenSides, skippedLines } from "./sides.js";
import { mean, percent } from "./statistics.js";

export const realJobNames = ["food101", "sst2"] as const;
export type RealJobName = (typeof realJobNames)[number];
const realSides = ["graft-f32", "graft-int8", "peft"] as const;
type RealSide = (typeof realSides)[number];

/** One training run with its evaluation. */
interface RealRun {
  readonly seed: number;
  readonly accuracy: number;
  /** From the start of the process to its end: imports, data, training and evaluation. */
  readonly wholeSeconds: number;
  readonly secondsPerEpoch: number;
  readonly steps: number;
  readonly peakMemoryMB: number;
}

interface RealJob {
  /** Flags of `graft train` and of the Python twin, beside seed and threads. */
  readonly graft: (assets: string, options: BenchOptions) => string[];
  readonly reference: (options: BenchOptions) => string[];
}

const jobs: { readonly [K in RealJobName]: RealJob } = {
  food101: {
    graft: (assets) => {
      const data = join(assets, "datasets/food101-10class");
      const model = join(assets, "models/vit-tiny-tinyimagenet");
      return ["--model", model, "--train", join(data, "train"), "--test", join(data, "test")];
    },
    reference: ({ decodeOnce }) => (decodeOnce ? ["--decode", "once"] : []),
  },
  sst2: {
    graft: (assets, { rows, randomBatches }) => {
      const data = join(assets, "datasets/glue/SST-2");
      const model = join(assets, "models/all-MiniLM-L6-v2");
      const files = ["--train", join(data, "train.tsv"), "--test", join(data, "dev.tsv"), "--max-length", "128"];
      const limit = rows === "all" ? [] : ["--train-limit", String(rows)];
      const order = ["--train-sampling-strategy", randomBatches ? "random" : "group_by_length"];
      return ["--model", model, ...files, ...limit, ...order, "--eval-strategy", "no"];
    },
    reference: ({ rows, randomBatches }) => [
      ...(rows === "all" ? [] : ["--rows", String(rows)]),
      ...(randomBatches ? [] : ["--group-by-length"]),
    ],
  },
};

/** What `graft train --json` prints, as far as it is read here. */
interface GraftOutput {
  readonly epochs: number;
  readonly steps: number;
  readonly peakMemoryBytes: number;
  readonly train: { readonly train_runtime: number };
  readonly test: { readonly test_accuracy: number };
}

async function runGraft(job: RealJobName, precision: string, seed: number, options: BenchOptions): Promise<RealRun> {
  const folder = await mkdtemp(join(tmpdir(), "graft-bench-"));
  try {
    const flags = ["--output", join(folder, "run"), "--seed", String(seed), "--threads", String(options.threads)];
    // Checkpoints would be written on one side alone.
    const common = ["--save-strategy", "no", "--frozen-precision", precision, "--json"];
    const steps = options.maxSteps === undefined ? [] : ["--max-steps", String(options.maxSteps)];
    const own = jobs[job].graft(assetsFolder(), options);
    const args = ["dist/cli/main.js", "train", `examples/${job}.yaml`, ...own, ...flags, ...common, ...steps];
    const child = await runChild(process.execPath, args);
    const result = jsonOf<GraftOutput>(child);
    const report = await readPrecisionReport(join(folder, "run"));
    if (report?.used === "f32") throw new SkippedSide(report.reason);
    return {
      seed,
      accuracy: result.test.test_accuracy,
      wholeSeconds: child.seconds,
      secondsPerEpoch: result.train.train_runtime / result.epochs,
      steps: result.steps,
      peakMemoryMB: result.peakMemoryBytes / 2 ** 20,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runPeft(job: RealJobName, seed: number, options: BenchOptions): Promise<RealRun> {
  const flags = ["--assets", assetsFolder(), "--seed", String(seed), "--threads", String(options.threads)];
  const steps = options.maxSteps === undefined ? [] : ["--max-steps", String(options.maxSteps)];
  const child = await runReference(`train_${job}.py`, [...flags, ...jobs[job].reference(options), ...steps]);
  return { ...jsonOf<Omit<RealRun, "wholeSeconds">>(child), seed, wholeSeconds: child.seconds };
}

export interface RealReport {
  readonly job: RealJobName;
  readonly cpu: string;
  readonly threads: number;
  readonly runs: Partial<Record<RealSide, RealRun[]>>;
  readonly skipped: Partial<Record<RealSide, string>>;
}

/** Whole training runs of each side, seed after seed. */
export async function realJob(job: RealJobName, options: BenchOptions): Promise<RealReport> {
  const sides = chosenSides(realSides, options.sides);
  const { results, skipped } = await alternate(sides, options.seeds.length, (side, round) => {
    const seed = options.seeds[round]!;
    return side === "peft" ? runPeft(job, seed, options) : runGraft(job, side.replace("graft-", ""), seed, options);
  });
  return {
    job,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    threads: options.threads,
    runs: Object.fromEntries(results),
    skipped: Object.fromEntries(skipped),
  };
}

export function realTable({ job, cpu, threads, runs, skipped }: RealReport): string {
  const accuracyOf = (all: readonly RealRun[] | undefined) => all && mean(all.map(({ accuracy }) => accuracy));
  const peer = accuracyOf(runs.peft);
  const cells = (side: string, seed: string, run: Omit<RealRun, "seed" | "steps">) => [
    side,
    seed,
    percent(run.accuracy),
    `${run.wholeSeconds.toFixed(1)} s`,
    `${run.secondsPerEpoch.toFixed(1)} s`,
    `${run.peakMemoryMB.toFixed(0)} MiB`,
  ];
  const rows = Object.entries(runs).flatMap(([side, all]) => {
    const accuracy = mean(all.map((run) => run.accuracy));
    const average = {
      accuracy,
      wholeSeconds: mean(all.map((run) => run.wholeSeconds)),
      secondsPerEpoch: mean(all.map((run) => run.secondsPerEpoch)),
      peakMemoryMB: Math.max(...all.map((run) => run.peakMemoryMB)),
    };
    const points = peer === undefined ? "-" : `${(100 * (accuracy - peer)).toFixed(2)} points`;
    return [...all.map((run) => cells(side, String(run.seed), run)), [...cells(side, "mean", average), points]];
  });
  const columns = ["accuracy", "whole run", "an epoch", "VmHWM", "mean minus PEFT's"];
  return [
    `${job} on ${cpu}, ${threads} threads`,
    renderTable(
      [{ title: "side" }, { title: "seed" }, ...columns.map((title) => ({ title, align: "right" as const }))],
      rows,
    ),
    skippedLines(new Map(Object.entries(skipped))),
  ].join("\n");
}
