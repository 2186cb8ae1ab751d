// One training run of every tuning method at three learning rates on SST-2 with all-MiniLM-L6-v2, kept run by run in a folder.
import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { jsonOf, runChild, SkippedSide } from "./child.js";
import { assetsFolder } from "./folders.js";
import { type MethodJob, methodJobs } from "./method-jobs.js";
import type { BenchOptions } from "./options.js";
import { percent } from "./statistics.js";

/** The batch size of examples/sst2.yaml. */
const BATCH = 32;

/** What a run came to: one file in the folder. */
export interface MethodRun {
  readonly method: string;
  readonly rate: number;
  readonly rows: number;
  readonly threads: number;
  readonly seed: number;
  readonly cpu: string;
  /** Of the 872 rows of SST-2's dev set; null where the run ended with an error. */
  readonly accuracy: number | null;
  /** With the head. */
  readonly trained: number;
  /** Of the training alone. */
  readonly seconds: number;
  readonly peakMemoryMB: number;
  /** Why it ended, where it did not go through. */
  readonly error: string | null;
}

/** A method's best run, and what the others came to. */
export interface MethodResult {
  readonly job: MethodJob;
  readonly best: MethodRun | undefined;
  readonly runs: readonly MethodRun[];
}

/** What `graft train --json` prints, as far as it is read here. */
interface GraftOutput {
  readonly peakMemoryBytes: number;
  readonly parameters: { readonly trainable: number };
  readonly train: { readonly train_runtime: number };
  readonly test: { readonly test_accuracy: number };
}

const cpu = (): string => cpus()[0]?.model.trim() ?? "unknown";

/** AdaLoRA lowers ranks over the whole run, whose length it must know: a tenth before they fall, a third after. */
function scheduleOf({ method }: MethodJob, rows: number): string {
  if (method !== "adalora") return "";
  const steps = Math.ceil(rows / BATCH);
  return `,total_step=${steps},tinit=${Math.floor(steps / 10)},tfinal=${Math.floor(steps / 3)}`;
}

function flagsOf(job: MethodJob, rate: number, rows: number, options: BenchOptions): string[] {
  const assets = assetsFolder();
  const data = join(assets, "datasets/glue/SST-2");
  const line = `${job.options}${scheduleOf(job, rows)}`;
  return [
    ...["--model", join(assets, "models/all-MiniLM-L6-v2"), "--train", join(data, "train.tsv")],
    ...["--test", join(data, "dev.tsv"), "--max-length", "128", "--train-limit", String(rows)],
    ...["--eval-strategy", "no", "--save-strategy", "no", "--learning-rate", String(rate), "--json"],
    ...["--seed", String(options.seeds[0] ?? 0), "--threads", String(options.threads), "--method", job.method],
    ...(line === "" ? [] : [`--${job.method}`, line]),
    ...(job.flags ?? []),
  ];
}

async function train(job: MethodJob, rate: number, rows: number, options: BenchOptions): Promise<MethodRun> {
  const output = await mkdtemp(join(tmpdir(), "graft-bench-"));
  const known = { method: job.name, rate, rows, threads: options.threads, seed: options.seeds[0] ?? 0, cpu: cpu() };
  try {
    const flags = flagsOf(job, rate, rows, options);
    const child = await runChild(process.execPath, [
      ...["dist/cli/main.js", "train", "examples/sst2.yaml", "--output", join(output, "run")],
      ...flags,
    ]);
    const { test, parameters, train, peakMemoryBytes } = jsonOf<GraftOutput>(child);
    return {
      ...known,
      accuracy: test.test_accuracy,
      trained: parameters.trainable,
      seconds: train.train_runtime,
      peakMemoryMB: peakMemoryBytes / 2 ** 20,
      error: null,
    };
  } catch (error) {
    if (!(error instanceof SkippedSide)) throw error;
    return { ...known, accuracy: null, trained: 0, seconds: 0, peakMemoryMB: 0, error: error.message };
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

async function readRun(path: string): Promise<MethodRun | undefined> {
  const isThere = await access(path).then(
    () => true,
    () => false,
  );
  return isThere ? (JSON.parse(await readFile(path, "utf8")) as MethodRun) : undefined;
}

/** Whole or not at all: a run that was interrupted leaves no file. */
async function write(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}

/** The run of the highest accuracy; of equal ones the first. */
export function bestOf(runs: readonly MethodRun[]): MethodRun | undefined {
  return runs.reduce<MethodRun | undefined>(
    (best, run) => (run.accuracy !== null && run.accuracy > (best?.accuracy ?? -1) ? run : best),
    undefined,
  );
}

/** @throws Error for names that no method has */
export function chosenJobs(only: readonly string[] | undefined): readonly MethodJob[] {
  const names = methodJobs.map(({ name }) => name);
  const unknown = only?.filter((name) => !names.includes(name)) ?? [];
  if (unknown.length > 0) throw new Error(`--only ${unknown.join(",")}: there are ${names.join(", ")}`);
  return methodJobs.filter(({ name }) => only?.includes(name) ?? true);
}

/**
 * Runs what the folder does not hold yet, one after the other, and writes methods.md and methods.json there after each. A run
 * with other rows, threads or seed is made anew. Delete a run's file to repeat it.
 */
export async function methodsBenchmark(folder: string, options: BenchOptions): Promise<readonly MethodResult[]> {
  if (options.rows === "all") throw new Error("--rows is a number here: all methods take the same rows");
  const { rows } = options;
  await mkdir(folder, { recursive: true });
  const results: MethodResult[] = [];
  for (const job of chosenJobs(options.only)) {
    const runs: MethodRun[] = [];
    for (const rate of job.rates) {
      const path = join(folder, `${job.name}-${rate}.json`);
      const known = await readRun(path);
      const isSame = known?.rows === rows && known.threads === options.threads && known.seed === options.seeds[0];
      const run = known && isSame ? known : await train(job, rate, rows, options);
      if (run !== known) {
        await write(path, `${JSON.stringify(run, null, 2)}\n`);
        console.error(`${job.name}, ${rate}: ${run.error ?? percent(run.accuracy ?? undefined)}`);
      }
      runs.push(run);
    }
    results.push({ job, best: bestOf(runs), runs });
    await write(join(folder, "methods.json"), `${JSON.stringify(results, null, 2)}\n`);
    await write(join(folder, "methods.md"), methodsTable(results));
  }
  return results;
}

const shown = ({ rate, accuracy }: MethodRun): string => `${rate}: ${accuracy === null ? "error" : percent(accuracy)}`;

/** The results as a Markdown table, the best accuracy first. */
export function methodsTable(results: readonly MethodResult[]): string {
  const [first] = results.flatMap(({ runs }) => runs);
  const sorted = [...results].sort((a, b) => (b.best?.accuracy ?? -1) - (a.best?.accuracy ?? -1));
  const rows = sorted.map(({ job, best, runs }) => {
    const settings = [job.options, ...(job.flags ?? [])].filter((part) => part !== "").join(" ");
    const measured = best
      ? [
          percent(best.accuracy ?? undefined),
          String(best.rate),
          best.trained.toLocaleString("en"),
          `${best.seconds.toFixed(1)} s`,
          `${best.peakMemoryMB.toFixed(0)} MiB`,
        ]
      : ["-", "-", "-", "-", "-"];
    return [job.name, settings === "" ? "-" : `\`${settings}\``, ...measured, runs.map(shown).join("; ")];
  });
  const titles = ["method", "options", "accuracy", "rate", "trained", "time", "peak memory", "all three rates"];
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const about = first
    ? `SST-2, ${first.rows} rows, one epoch, seed ${first.seed}; ${first.cpu}, ${first.threads} threads. LoRA: r 8, alpha 16, query and value.`
    : "No runs.";
  return `${[about, "", line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n")}\n`;
}
