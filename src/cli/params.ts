import { Command, Option } from "commander";
import { countPaper, countWalkthrough, walkthroughLine } from "../analysis/index.js";
import { requireExisting, summarizeModel } from "../runs/inspect/model.js";
import { requireModel } from "../runs/models/source.js";
import { addRunFlags, readRun } from "./run-file/flags.js";
import { addMethodLines } from "./run-file/method-lines.js";
import { withExamples } from "./shell/examples.js";
import { formatCount } from "./shell/format.js";
import { printTable, type TableFormats } from "./shell/formats.js";
import { warn } from "./shell/print.js";
import type { Column } from "./shell/table.js";
import { UsageError } from "./spelling/usage-error.js";

interface ParamsFlags extends TableFormats {
  readonly paper?: true;
  readonly walkthrough?: true;
}

const right = (title: string): Column => ({ title, align: "right" });

async function paper(flags: ParamsFlags): Promise<void> {
  const cells = await countPaper();
  const columns = [
    right("table"),
    { title: "model" },
    { title: "method" },
    { title: "settings" },
    right("paper"),
    right("counted"),
    right("formula"),
    { title: "" },
    { title: "why" },
  ];
  const rows = cells.map(({ table, model, method, settings, paper, count, formula, agrees, reason }) => [
    String(table),
    model,
    method,
    settings,
    paper,
    formatCount(count),
    formula === null ? "-" : formatCount(formula.count),
    agrees ? "same" : "differs",
    reason ?? "",
  ]);
  printTable(columns, rows, cells, flags);
}

function walkthrough(flags: ParamsFlags): void {
  const countings = countWalkthrough();
  const columns = [{ title: "counting" }, { title: "line" }, { title: "what is counted" }];
  const rows = countings.map((counting) => [counting.versions, walkthroughLine(counting), counting.note]);
  printTable(columns, rows, countings, flags);
}

async function ofModel(path: string, flags: ParamsFlags): Promise<void> {
  const run = await readRun(undefined, flags as Record<string, unknown>, [""]);
  await requireExisting(path);
  await requireModel(path);
  const { adapter, className, parameters } = await summarizeModel(path, run, run.method !== undefined, {
    onWarning: warn,
  });
  const counts: (readonly [string, number])[] = [
    [`${className}`, parameters],
    ...(adapter
      ? ([
          [`trained by ${adapter.type}`, adapter.trainable],
          ["all, as PEFT counts", adapter.all],
          ["all, saved modules once", adapter.allCountedOnce],
        ] as const)
      : []),
  ];
  printTable(
    [{ title: "parameters" }, right("count")],
    counts.map(([name, count]) => [name, formatCount(count)]),
    { model: path, className, parameters, ...(adapter && { adapter }) },
    flags,
  );
}

async function params(path: string | undefined, flags: ParamsFlags): Promise<void> {
  const asked = [path !== undefined, flags.paper, flags.walkthrough].filter(Boolean).length;
  if (asked !== 1) {
    throw new UsageError(
      asked === 0 ? "there is nothing to count" : "several things are to be counted at once",
      "Name a model folder, or --paper, or --walkthrough.",
    );
  }
  if (path !== undefined) return ofModel(path, flags);
  return flags.paper ? paper(flags) : walkthrough(flags);
}

/** `graft params` */
export function paramsCommand(): Command {
  const command = new Command("params")
    .description(
      "Counts of parameters from built models: one's own, the LoRA paper's tables, PEFT's lines over its versions.",
    )
    .argument("[model]", "model folder; no weights are read")
    .addOption(
      new Option("--paper", "the trainable parameters of tables 2 to 5 of the LoRA paper, beside the paper's cells"),
    )
    .addOption(new Option("--walkthrough", "ViT-B/16 with LoRA as versions of PEFT have counted it"))
    .addOption(new Option("--latex", "print a LaTeX table"))
    .addOption(new Option("--markdown", "print a Markdown table"))
    .addOption(new Option("--json", "print JSON"))
    .action((path: string | undefined, flags: ParamsFlags) => params(path, flags));
  addMethodLines(command);
  addRunFlags(command, { sections: [""], only: new Set(["method", "labels", "numLabels"]) });
  return withExamples(command, [
    ["graft params --paper", "Every model of the paper, built from its shape, and what each method trains"],
    ["graft params models/vit-base --lora r=16,targets=query,value --num-labels 101 --latex", "A model of one's own"],
  ]);
}
