import { Command, Option } from "commander";
import { type Estimate, estimateStep, gpt3Claims } from "../analysis/index.js";
import { shapesOf } from "../runs/inspect/shapes.js";
import { addRunFlags, countFlag, readRun } from "./run-file/flags.js";
import { addMethodLines } from "./run-file/method-lines.js";
import { withExamples } from "./shell/examples.js";
import { formatBytes, formatCount, formatShare } from "./shell/format.js";
import { print, printJson, warn } from "./shell/print.js";
import { renderPairs, renderTable } from "./shell/table.js";
import { UsageError } from "./spelling/usage-error.js";

interface EstimateFlags {
  readonly batch: string;
  readonly seq: string;
  readonly paper?: true;
  readonly json?: true;
}

const parts: readonly (readonly [keyof Estimate["memory"], string])[] = [
  ["weights", "frozen weights"],
  ["trained", "trained weights"],
  ["gradients", "gradients"],
  ["optimizer", "AdamW's moments"],
  ["activations", "activations"],
  ["batch", "batch"],
  ["process", "process"],
  ["peak", "peak"],
];

function report({ parameters, memory, flops, checkpoint }: Estimate): void {
  const columns = [{ title: "memory" }, { title: "size", align: "right" }, { title: "share", align: "right" }] as const;
  print(
    renderTable(
      columns,
      parts.map(([part, title]) => [
        title,
        formatBytes(Math.round(memory[part])),
        formatShare(memory[part] / memory.peak),
      ]),
    ),
  );
  const tera = (count: number): string => `${(count / 1e9).toPrecision(4)} GFLOP (${formatShare(count / flops.step)})`;
  print(
    `\n${renderPairs([
      ["parameters", `${formatCount(parameters.all)}, trained ${formatCount(parameters.trained)}`],
      ["a step", tera(flops.step)],
      ["  with frozen weights", tera(flops.frozen)],
      ["  with trained ones", tera(flops.trained)],
      ["  of attention and gradients", tera(flops.activations)],
      [
        "trained, as a file",
        `${formatBytes(checkpoint.adapterFloat32)} in float32, ${formatBytes(checkpoint.adapterFloat16)} in float16`,
      ],
    ])}`,
  );
}

function paper(json: boolean): void {
  const claims = gpt3Claims();
  if (json) {
    printJson(claims);
    return;
  }
  const columns = [{ title: "GPT-3 175B" }, { title: "paper" }, { title: "computed" }, { title: "arithmetic" }];
  print(
    renderTable(
      columns,
      claims.map(({ claim, paper: said, computed, arithmetic }) => [claim, said, computed, arithmetic]),
    ),
  );
}

async function estimate(path: string | undefined, flags: EstimateFlags): Promise<void> {
  if ((path === undefined) === (flags.paper === undefined)) {
    throw new UsageError("estimate takes a model or --paper", "Name a model folder, a config.json, or --paper.");
  }
  if (path === undefined) return paper(flags.json ?? false);
  const batch = countFlag("--batch", flags.batch);
  const sequence = countFlag("--seq", flags.seq);
  const run = await readRun(undefined, flags as unknown as Record<string, unknown>, ["", "training"]);
  const peft = await shapesOf(path, run, { onWarning: warn });
  const result = estimateStep(peft, {
    batch,
    sequence,
    frozenPrecision: run.training.frozenPrecision === "int8" ? "int8" : "float32",
  });
  if (flags.json) printJson({ model: path, batch, sequence, ...result });
  else report(result);
}

/** `graft estimate` */
export function estimateCommand(): Command {
  const command = new Command("estimate")
    .description("What training would take in memory and arithmetic, before anything is downloaded or allocated.")
    .argument("[model]", "model folder, or its config.json alone")
    .addOption(new Option("--batch <rows>", "rows that are run at once").default("8"))
    .addOption(new Option("--seq <tokens>", "tokens of a row; pictures have none").default("128"))
    .addOption(new Option("--paper", "what the LoRA paper says of GPT-3 175B, with the arithmetic"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action((path: string | undefined, flags: EstimateFlags) => estimate(path, flags));
  addMethodLines(command);
  addRunFlags(command, {
    sections: ["", "training"],
    only: new Set(["method", "labels", "numLabels", "frozenPrecision"]),
  });
  return withExamples(command, [
    ["graft estimate models/vit-base --lora r=16,targets=query,value --batch 8", "Before a run"],
    ["graft estimate config.json --method ft --batch 4 --seq 512", "From a config alone: full fine-tuning"],
    ["graft estimate --paper", "GPT-3 175B as the LoRA paper has it"],
  ]);
}
