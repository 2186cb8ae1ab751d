import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { FrozenPrecisionReport } from "graft-peft";
import { renderTable } from "#graft/cli/shell/table";
import { jsonOf, runSide } from "./child.js";
import { cacheFolder, jobFolders } from "./folders.js";
import type { StepJobName } from "./jobs.js";
import {
  type KernelGroup,
  type KernelTime,
  type OperatorProfile,
  operatorProfile,
  type TraceEvent,
} from "./operator-profile.js";
import type { BenchOptions } from "./options.js";
import type { FrozenPrecision, GraftSideOptions } from "./sides/common.js";
import type { GraftStepResult } from "./sides/step.js";
import { alternate, sideTitles, skippedLines } from "./sides.js";
import { median, percent, seconds } from "./statistics.js";
import { asAsked } from "./step-benchmark.js";

const profiledSides = ["graft-f32", "graft-int8"] as const;
type ProfiledSide = (typeof profiledSides)[number];

/** Operators that the table names; the rest is one line. */
const SHOWN = 15;

interface SideProfile extends OperatorProfile {
  /** The median step without the profiler, and with it. */
  readonly medianSeconds: number;
  readonly profiledMedianSeconds: number;
  readonly frozenPrecision?: FrozenPrecisionReport;
}

export interface ProfileReport {
  readonly job: StepJobName;
  readonly cpu: string;
  readonly threads: number;
  readonly sides: Partial<Record<ProfiledSide, SideProfile>>;
  readonly skipped: Partial<Record<ProfiledSide, string>>;
}

const stepSide = async (options: GraftSideOptions): Promise<GraftStepResult> =>
  asAsked(jsonOf<GraftStepResult>(await runSide("step", { ...options })));

/** The side's steps once more under the profiler; int8 with the choice of products that the first process came to. */
async function profiledSteps(plain: GraftSideOptions, knownPrecision: FrozenPrecisionReport | undefined) {
  const profileFolder = await mkdtemp(join(tmpdir(), "graft-profile-"));
  try {
    const { stepSeconds } = await stepSide({ ...plain, profileFolder, ...(knownPrecision && { knownPrecision }) });
    // Small probes, too, write profiles; theirs are of purpose "prediction".
    const files = (await readdir(profileFolder)).filter((name) => name.startsWith("training"));
    if (files.length !== 1)
      throw new Error(`one program was expected to be profiled, not ${files.join(", ") || "none"}`);
    const trace = JSON.parse(await readFile(join(profileFolder, files[0]!), "utf8")) as TraceEvent[];
    return { stepSeconds, profile: operatorProfile(trace, plain.steps) };
  } finally {
    await rm(profileFolder, { recursive: true, force: true });
  }
}

/** Where the time of Graft's steps goes: each precision in a process without ONNX Runtime's profiler and one with it. */
export async function profileBenchmark(
  job: StepJobName,
  { cache, threads, steps }: BenchOptions,
): Promise<ProfileReport> {
  const folders = await jobFolders(job, cacheFolder(cache));
  const { results, skipped } = await alternate(profiledSides, 1, async (side): Promise<SideProfile> => {
    const precision = side.replace("graft-", "") as FrozenPrecision;
    const options = { job, ...folders, precision, threads, steps };
    const { stepSeconds, frozenPrecision } = await stepSide(options);
    const profiled = await profiledSteps(options, frozenPrecision);
    return {
      medianSeconds: median(stepSeconds),
      profiledMedianSeconds: median(profiled.stepSeconds),
      ...profiled.profile,
      ...(frozenPrecision && { frozenPrecision }),
    };
  });
  return {
    job,
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    threads,
    sides: Object.fromEntries([...results].map(([side, [profile]]) => [side, profile])),
    skipped: Object.fromEntries(skipped),
  };
}

const groupTitles: { readonly [G in KernelGroup]: string } = {
  int8Products: "int8 products",
  float32Products: "float32 products",
  other: "elementwise, quantising and copying together",
};

function kernelTable(title: string, rows: readonly (readonly [string, KernelTime])[]): string {
  const columns = ["calls", "ms of a step", "share"].map((name) => ({ title: name, align: "right" as const }));
  const cells = rows.map(([name, { calls, ms, share }]) => [name, String(calls), ms.toFixed(2), percent(share)]);
  return renderTable([{ title }, ...columns], cells);
}

/** The sum of what is not named one by one. */
function together(times: readonly KernelTime[]): KernelTime {
  return times.reduce((sum, { calls, ms, share }) => ({
    calls: sum.calls + calls,
    ms: sum.ms + ms,
    share: sum.share + share,
  }));
}

function sideLines(side: ProfiledSide, profile: SideProfile): string[] {
  const { operators, groups, medianSeconds, profiledMedianSeconds, runMs, kernelMs, frozenPrecision } = profile;
  const rest = operators.slice(SHOWN);
  const named = operators.slice(0, SHOWN).map((time) => [time.operator, time] as const);
  const unnamed = rest.length > 0 ? [[`${rest.length} other operators`, together(rest)] as const] : [];
  const groupNames = Object.keys(groupTitles) as KernelGroup[];
  const used = groupNames.filter((group) => groups[group].calls > 0);
  return [
    "",
    `${sideTitles[side]}: ${seconds(medianSeconds)} a step (median), ${seconds(profiledMedianSeconds)} under the profiler;` +
      ` ${seconds(runMs / 1000)} inside ONNX Runtime, ${seconds(kernelMs / 1000)} of it in kernels (means of ${profile.steps})`,
    ...(frozenPrecision ? [frozenPrecision.reason] : []),
    "",
    kernelTable("operator", [...named, ...unnamed]),
    "",
    kernelTable(
      "group",
      used.map((group) => [groupTitles[group], groups[group]] as const),
    ),
  ];
}

export function profileTable({ job, cpu, threads, sides, skipped }: ProfileReport): string {
  const entries = Object.entries(sides) as [ProfiledSide, SideProfile][];
  return [
    `${job} on ${cpu}, ${threads} threads`,
    ...entries.flatMap(([side, profile]) => sideLines(side, profile)),
    "",
    skippedLines(new Map(Object.entries(skipped))),
  ].join("\n");
}
