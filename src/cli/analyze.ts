import { Command, Option } from "commander";
import { platform } from "#platform";
import {
  type AdapterUpdate,
  type AnalysisReport,
  analysisJson,
  analysisMarkdown,
  analysisPage,
  analyzeUpdates,
  compareUpdates,
  updatesOfFolder,
  updatesOfModel,
} from "../analysis/index.js";
import { GraftError } from "../errors.js";
import { AdapterFolder, type PeftModel } from "../peft/index.js";
import { openAdapter, openOptions } from "../runs/models/open.js";
import { isAdapterFolder, resolveSource } from "../runs/models/source.js";
import { addRunFlags, countFlag, readRun } from "./run-file/flags.js";
import { sourceHelp } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { note, print, warn } from "./shell/print.js";
import { UsageError } from "./spelling/usage-error.js";

interface AnalyzeFlags {
  readonly against?: string;
  readonly output?: string;
  readonly overwrite?: true;
  readonly keep?: string;
  readonly rank?: string;
  readonly json?: true;
}

/** The updates of an adapter, and of another one on the same base. */
interface Updates {
  readonly base: string | null;
  readonly ones: readonly AdapterUpdate[];
  readonly others: readonly AdapterUpdate[];
}

/** The base that an adapter names, where it lies here. */
async function baseOf(adapter: string): Promise<string | undefined> {
  try {
    return await (await AdapterFolder.open(adapter)).baseModel();
  } catch (error) {
    if (error instanceof GraftError && error.code === "file-not-found") return undefined;
    throw error;
  }
}

async function withUpdates(
  adapter: string,
  flags: AnalyzeFlags,
  use: (updates: Updates) => Promise<void>,
): Promise<void> {
  const run = await readRun(undefined, flags as Record<string, unknown>, [""]);
  const { against } = flags;
  for (const folder of [adapter, ...(against === undefined ? [] : [against])]) {
    if (!(await isAdapterFolder(folder))) {
      throw new GraftError("file-not-found", `${folder} holds no adapter_config.json`, "Name an adapter's folder.");
    }
    const { use_dora: isDora } = (await AdapterFolder.open(folder)).raw;
    if (isDora === true) warn(`${folder} trains magnitudes besides (DoRA): what is said here is of B A alone`);
  }
  const base = run.model ?? (await baseOf(adapter));
  if (base === undefined) {
    note("The base model that the adapter names is not here: its weights are left out. --model names its folder.");
    const [ones, others] = await Promise.all(
      [adapter, against].map(async (folder) => (folder ? updatesOfFolder(await AdapterFolder.open(folder)) : [])),
    );
    await use({ base: null, ones: ones ?? [], others: others ?? [] });
    return;
  }
  const source = await resolveSource(adapter, base);
  // Heads are not looked at: whether the base has the adapter's is no matter here.
  const quiet = { onWarning: () => {}, allowMissing: true };
  const peft: PeftModel = await openAdapter(source, { ...openOptions(run), ...quiet });
  try {
    const ones = await updatesOfModel(peft, adapter);
    if (against === undefined) {
      await use({ base: source.base, ones, others: [] });
      return;
    }
    await peft.loadAdapter(against, { adapterName: "against", onWarning: warn });
    await peft.setAdapter("against");
    await use({ base: source.base, ones, others: await updatesOfModel(peft, against) });
  } finally {
    await peft.dispose();
  }
}

function shareFlag(text: string): number {
  const share = Number(text);
  if (share > 0 && share <= 1) return share;
  throw new UsageError(`--keep ${text}`, "--keep takes a share above 0 and at most 1, as 0.95.");
}

async function checkOutput(folder: string, overwrite: boolean): Promise<void> {
  const isFree = !(await platform.exists(folder)) || (await platform.listDirectory(folder)).length === 0;
  if (isFree) return;
  const isReport = await platform.exists(platform.join(folder, "report.html"));
  if (isReport && overwrite) return;
  throw new GraftError(
    "invalid-argument",
    `${folder} is there already and holds ${isReport ? "a report" : "other files"}`,
    isReport ? "Add --overwrite to replace the report." : "Name another folder.",
  );
}

async function writeReport(folder: string, report: AnalysisReport): Promise<void> {
  await platform.writeFolderAtomic(folder, async (path) => {
    const files = { "report.json": analysisJson, "report.md": analysisMarkdown, "report.html": analysisPage };
    for (const [name, write] of Object.entries(files)) {
      await platform.writeFileAtomic(platform.join(path, name), write(report));
    }
  });
}

async function analyze(adapter: string, flags: AnalyzeFlags): Promise<void> {
  const { output, against, json } = flags;
  const rank = flags.rank === undefined ? undefined : countFlag("--rank", flags.rank);
  const shares = flags.keep === undefined ? undefined : [shareFlag(flags.keep)];
  if (output !== undefined) await checkOutput(output, flags.overwrite ?? false);
  await withUpdates(adapter, flags, async ({ base, ones, others }) => {
    const layers = await analyzeUpdates(ones, { ...(rank && { rank }), ...(shares && { shares }) });
    const similarities = against === undefined ? [] : compareUpdates(ones, others);
    const report = { adapter, base, against: against ?? null, layers, similarities };
    if (output !== undefined) await writeReport(output, report);
    if (json) print(analysisJson(report).trimEnd());
    else if (output === undefined) print(analysisMarkdown(report).trimEnd());
    else print(`${output}: report.html, report.md and report.json on ${layers.length} layers`);
  });
}

/** `graft analyze` */
export function analyzeCommand(): Command {
  const command = new Command("analyze")
    .description(
      "What a LoRA adapter learned: norms, spectra and the ranks that would do; against its base's weights, and against another adapter.",
    )
    .argument("<adapter>", "adapter folder")
    .addOption(new Option("--against <adapter>", "another adapter of the same base: subspace similarity"))
    .addOption(new Option("--output <folder>", "write report.html with figures, report.md and report.json there"))
    .addOption(new Option("--overwrite", "replace a report"))
    .addOption(
      new Option("--keep <share>", "advise the rank that keeps this share of the norm. Default: 0.9, 0.95, 0.99"),
    )
    .addOption(new Option("--rank <count>", "directions compared with the weight. Default: the adapter's rank"))
    .addOption(new Option("--json", "print the report as one JSON object"))
    .action((adapter: string, flags: AnalyzeFlags) => analyze(adapter, flags));
  addRunFlags(command, { sections: [""], only: new Set(["model"]), otherHelp: sourceHelp });
  return withExamples(command, [
    ["graft analyze runs/sst2 --output reports/sst2", "A page with figures to look at in a browser"],
    ["graft analyze runs/r8 --against runs/r64 --keep 0.95", "Do two ranks learn the same directions?"],
  ]);
}
