import { Command, Option } from "commander";
import { platform } from "#platform";
import { resolveProblemType } from "../models/index.js";
import { computeMetricsOf, plainMetrics } from "../runs/data/metrics.js";
import { dataOptions, languageOptions } from "../runs/data/options.js";
import { requireProblemType } from "../runs/data/problem-type.js";
import type { Run } from "../runs/definition/run.js";
import { requireFiniteLoss } from "../runs/models/finite.js";
import { openOptions, openSource } from "../runs/models/open.js";
import { resolveSource } from "../runs/models/source.js";
import { tasks } from "../tasks/index.js";
import { Trainer, TrainingArguments } from "../training/index.js";
import { addRunFlags, countFlag, readRun } from "./run-file/flags.js";
import { languageKeys, sourceHelp, sourceKeys, tableKeys } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { formatCount, formatDuration, formatNumber } from "./shell/format.js";
import { note, print, printJson, warn } from "./shell/print.js";
import { runProgress } from "./shell/progress.js";
import { renderTable } from "./shell/table.js";

interface EvalFlags {
  readonly limit?: string;
  readonly batchSize: string;
  readonly json?: true;
}

async function evaluate(folder: string, data: string, run: Run, flags: EvalFlags): Promise<void> {
  const batchSize = countFlag("--batch-size", flags.batchSize);
  const limit = flags.limit === undefined ? undefined : countFlag("--limit", flags.limit);
  const source = await resolveSource(folder, run.model);
  const { model, peft } = await openSource(source, { ...openOptions(run), onWarning: warn });
  const progress = runProgress();
  try {
    const task = tasks[source.task];
    const problemType = resolveProblemType(model.config);
    requireProblemType(source.task, problemType);
    const { label2id } = model.config;
    const labelsAre = run.labels ? undefined : source.settings?.labelsAre;
    const reading = { limit, problemType, label2id, labelsAre, onInfo: note };
    const rows = await task.read(data, dataOptions(run.data, reading));
    const maxLength = run.data.maxLength ?? source.settings?.maxLength;
    const transforms = run.data.transforms ?? source.settings?.transforms;
    const processing = await task.processing({
      folder: source.processing,
      network: model.network,
      maxLength,
      padToken: run.data.padToken,
      transforms,
      problemType,
      language: { ...source.settings?.language, ...languageOptions(run.data) },
      onInfo: note,
    });
    const trainer = new Trainer({
      model: peft ?? model,
      args: new TrainingArguments({ perDeviceEvalBatchSize: batchSize, reportTo: "none" }),
      dataCollator: processing.collate,
      computeMetrics: computeMetricsOf(run.metrics, source.task, model.config, problemType),
      callbacks: [{ onProgress: (event) => progress.onProgress(event) }],
      onWarning: warn,
    });
    const { metrics } = await trainer.predict(processing.dataset(rows.examples, "evaluate"), {
      metricKeyPrefix: "eval",
    });
    progress.stop();
    requireFiniteLoss(metrics as Record<string, number>, "eval", data);
    report(folder, data, rows.examples.length, metrics as Record<string, number>, flags.json ?? false);
  } finally {
    progress.stop();
    await model.dispose();
  }
}

function report(folder: string, data: string, rows: number, metrics: Record<string, number>, json: boolean): void {
  const plain = plainMetrics(metrics, "eval");
  const seconds = metrics.eval_runtime ?? 0;
  if (json) {
    printJson({ model: folder, data, rows, seconds, metrics: plain });
    return;
  }
  const columns = [{ title: "metric" }, { title: "value", align: "right" }] as const;
  print(
    renderTable(
      columns,
      Object.entries(plain).map(([name, value]) => [name, formatNumber(value)]),
    ),
  );
  print(`\n${formatCount(rows)} rows of ${platform.basename(data)} in ${formatDuration(seconds)}`);
}

/** `graft eval` */
export function evalCommand(): Command {
  const command = new Command("eval")
    .description("Loss and metrics of a model, or of an adapter on its base model, on labelled data.")
    .argument("<folder>", "adapter folder, or model folder")
    .argument(
      "<data>",
      "CSV, TSV, JSON-lines or CoNLL-like file, or text to learn, or folder with one folder of pictures for each class",
    )
    .addOption(new Option("--limit <rows>", "use the first rows only"))
    .addOption(new Option("--batch-size <rows>", "rows in a batch").default("32"))
    .addOption(new Option("--json", "print the result as one JSON object"))
    .action(async (folder: string, data: string, flags: EvalFlags) => {
      const run = await readRun(undefined, flags as unknown as Record<string, unknown>, ["", "data"]);
      await evaluate(folder, data, run, flags);
    });
  addRunFlags(command, {
    sections: ["", "data"],
    only: new Set([...sourceKeys, "metrics", ...tableKeys, ...languageKeys, "transforms"]),
    otherHelp: sourceHelp,
  });
  return withExamples(command, [
    ["graft eval runs/sst2 SST-2/dev.tsv", "An adapter, on the base model that it names"],
    [
      "graft eval runs/food101 food/test --model models/vit-tiny --json",
      "The base model is in another folder; JSON for machines",
    ],
  ]);
}
