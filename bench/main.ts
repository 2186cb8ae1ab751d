import { writeFile } from "node:fs/promises";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { messageOf } from "#graft/errors";
import type { BackendName } from "#graft/runtime/index";
import { coldStart, coldStartTable } from "./cold-start.js";
import { curveText, lossCurve } from "./curve.js";
import { gradientError, gradientErrorText } from "./gradient-error.js";
import { type StepJobName, stepJobNames } from "./jobs.js";
import { methodsBenchmark, methodsTable } from "./methods.js";
import type { BenchOptions } from "./options.js";
import { packing, packingText } from "./packing.js";
import { profileBenchmark, profileTable } from "./profile-benchmark.js";
import { type RealJobName, realJob, realJobNames, realTable } from "./real-jobs.js";
import { stepBenchmark, stepTable } from "./step-benchmark.js";
import { switching, switchingText } from "./switching.js";

/** A benchmark's result for machines and for people. */
type Benchmark = (options: BenchOptions) => Promise<{ readonly report: unknown; readonly text: string }>;
type BenchmarkName = StepJobName | RealJobName | "cold-start" | "switch" | "methods" | "packing" | CurveName;

/** What compares Graft with itself or with losses on the batches of a folder that reference/train_curve.py wrote. */
const curveNames = ["curve", "gradient-error"] as const;
type CurveName = (typeof curveNames)[number];
const withFolder: readonly BenchmarkName[] = [...curveNames, "methods"];
const needsFolder = (name: BenchmarkName): boolean => withFolder.includes(name);

function step(job: StepJobName): Benchmark {
  return async (options) => {
    if (options.profile) {
      const report = await profileBenchmark(job, options);
      return { report, text: profileTable(report) };
    }
    const report = await stepBenchmark(job, options);
    return { report, text: stepTable(report) };
  };
}

function real(job: RealJobName): Benchmark {
  return async (options) => {
    const report = await realJob(job, options);
    return { report, text: realTable(report) };
  };
}

const benchmarks: { readonly [K in BenchmarkName]: Benchmark } = {
  "vit-base": step("vit-base"),
  "bert-base": step("bert-base"),
  "vit-tiny": step("vit-tiny"),
  minilm: step("minilm"),
  "cold-start": async (options) => {
    const report = await coldStart(options);
    return { report, text: coldStartTable(report) };
  },
  switch: async (options) => {
    const report = await switching(options);
    return { report, text: switchingText(report) };
  },
  curve: async ({ folder, peers }) => {
    const report = await lossCurve(folder, peers);
    return { report, text: curveText(report) };
  },
  "gradient-error": async ({ folder }) => {
    const report = await gradientError(folder);
    return { report, text: gradientErrorText(report) };
  },
  methods: async ({ folder, ...options }) => {
    const report = await methodsBenchmark(folder, { folder, ...options });
    return { report, text: methodsTable(report) };
  },
  packing: async (options) => {
    const report = await packing(options);
    return { report, text: packingText(report) };
  },
  food101: real("food101"),
  sst2: real("sst2"),
};

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError("A whole number from 1 is needed.");
  return value;
}

function seeds(text: string): number[] {
  const values = text.split(",").map(Number);
  if (text === "" || values.some((seed) => !Number.isInteger(seed) || seed < 0)) {
    throw new InvalidArgumentError("Seeds look like 0,1,2.");
  }
  return values;
}

const program = new Command("bench")
  .description(`Times Graft beside PyTorch + PEFT. See bench/README.md.`)
  .addArgument(
    new Argument("<benchmark>", "what is measured").choices([
      ...stepJobNames,
      "cold-start",
      "switch",
      "packing",
      ...realJobNames,
      ...withFolder,
    ]),
  )
  .argument(
    "[folder]",
    "curve, gradient-error: what reference/train_curve.py --export wrote; methods: where finished runs are kept",
  )
  .argument("[losses...]", "curve: files with the losses of other runs")
  .option("--json <file>", "write the figures there too")
  .option("--cache <folder>", "where the models of the step benchmarks are kept (GRAFT_BENCH_CACHE)")
  .option("--threads <number>", "threads of each side", count, 2)
  .option("--steps <number>", "measured steps of a process", count, 8)
  .option("--rounds <number>", "how often the sides run in turn", count, 2)
  .option("--micro-batch <rows>", "step benchmarks: rows that Graft runs at once, or auto", (text) =>
    text === "auto" ? text : count(text),
  )
  .option("--profile", "step benchmarks: Graft's kernel time by operator instead of the timings")
  .addOption(
    new Option("--backend <name>", "step benchmarks: what computes on Graft's sides")
      .choices(["cpu", "wasm", "webgpu", "cuda"] satisfies BackendName[])
      .default("cpu"),
  )
  .option("--seeds <list>", "food101, sst2: seeds of the runs", seeds, [0, 1, 2])
  .option("--sides <list>", "the sides to run, such as graft-f32,pytorch-f32; default all", (text) => text.split(","))
  .option("--only <list>", "methods: those that run, such as lora,ft; default all", (text) => text.split(","))
  .option(
    "--rows <number>",
    "sst2, methods: training rows, or all",
    (text) => (text === "all" ? text : count(text)),
    8000,
  )
  .option("--random-batches", "sst2: batches of any lengths instead of similar ones")
  .option("--decode-once", "food101: PEFT's side decodes the pictures once, not in every epoch")
  .option("--max-steps <number>", "food101, sst2: stop early, to see that all sides run", count)
  .action(async (name: BenchmarkName, folder = "", peers: string[], flags: Omit<BenchOptions, "folder" | "peers">) => {
    const options: BenchOptions = { ...flags, folder, peers };
    if (needsFolder(name) !== (folder !== "") || (peers.length > 0 && name !== "curve")) {
      throw new Error(`A folder is for ${withFolder.join(", ")}, which need one; files of losses are for curve alone.`);
    }
    const ofSteps = { profile: options.profile, backend: options.backend !== "cpu" };
    for (const [flag, isGiven] of Object.entries(ofSteps)) {
      if (isGiven && !stepJobNames.some((job) => job === name)) {
        throw new Error(`--${flag} is for ${stepJobNames.join(", ")}, not for ${name}`);
      }
    }
    if (options.profile && options.backend !== "cpu") {
      throw new Error("--profile is for backend cpu: kernels elsewhere run on after the profiler's clock has stopped");
    }
    const { report, text } = await benchmarks[name](options);
    console.log(text.trimEnd());
    if (options.json) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  });

try {
  await program.parseAsync();
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
