import { Command, Option } from "commander";
import { dataLoader } from "../data/index.js";
import { GraftError } from "../errors.js";
import { dataOptions } from "../runs/data/options.js";
import type { Run } from "../runs/definition/run.js";
import { openOptions, openSource } from "../runs/models/open.js";
import { resolveSource } from "../runs/models/source.js";
import { type Cell, type Prediction, tasks } from "../tasks/index.js";
import { addRunFlags, countFlag, readRun } from "./run-file/flags.js";
import { sourceHelp, sourceKeys, tableKeys } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { formatNumber, formatShare } from "./shell/format.js";
import { note, print, printJson, warn } from "./shell/print.js";
import { type Column, renderTable } from "./shell/table.js";

interface PredictFlags {
  readonly topK: string;
  readonly batchSize: string;
  readonly pair?: string;
  readonly json?: true;
}

/** Longer texts are cut in the table; JSON has them whole. */
const SHOWN_TEXT = 60;

function shownCell(cell: Cell): string {
  if (typeof cell === "string") return cell;
  return "share" in cell ? formatShare(cell.share) : formatNumber(cell.value);
}

/** The start of a text; the end of a path, where the file's name is. */
function shorten(name: string): string {
  if (name.length <= SHOWN_TEXT) return name;
  const isPath = /[/\\][^\s]*$/.test(name);
  return isPath ? `...${name.slice(3 - SHOWN_TEXT)}` : `${name.slice(0, SHOWN_TEXT - 3)}...`;
}

function table(titles: readonly string[], names: readonly string[], predictions: readonly Prediction[]): string {
  const columns = titles.map((title): Column => ({ title, align: title === "probability" ? "right" : "left" }));
  if (predictions.length === 1)
    return renderTable(
      columns,
      predictions[0]!.rows.map((cells) => cells.map(shownCell)),
    );
  const rows = predictions.flatMap((prediction, row) => {
    const shown = shorten(names[row] ?? "");
    return prediction.rows.map((cells, rank) => [rank === 0 ? shown : "", ...cells.map(shownCell)]);
  });
  return renderTable([{ title: "input" }, ...columns], rows);
}

/** A row's logits must be numbers before anything is said about it. */
function requireFinite(logits: Float32Array, name: string): void {
  if (logits.every(Number.isFinite)) return;
  throw new GraftError(
    "not-finite",
    `the model's outputs for ${JSON.stringify(name.slice(0, SHOWN_TEXT))} are not finite numbers`,
    "The weights are damaged (NaN or infinite): load another checkpoint.",
  );
}

async function predict(folder: string, given: readonly string[], run: Run, flags: PredictFlags): Promise<void> {
  const topK = countFlag("--top-k", flags.topK);
  const batchSize = countFlag("--batch-size", flags.batchSize);
  const source = await resolveSource(folder, run.model);
  const task = tasks[source.task];
  const { names, examples } = await task.inputs(given, flags.pair, dataOptions(run.data, { onInfo: note }));
  const { model } = await openSource(source, { ...openOptions(run), onWarning: warn });
  try {
    const processing = await task.processing({
      folder: source.processing,
      network: model.network,
      maxLength: run.data.maxLength ?? source.settings?.maxLength,
      padToken: run.data.padToken,
    });
    const dataset = processing.dataset(examples, "evaluate");
    const predictions: Prediction[] = [];
    for await (const { tensors, indices } of dataLoader({ dataset, batchSize, collate: processing.collate })) {
      const { logits } = await model(tensors);
      const perRow = logits.data.length / indices.length;
      for (const [row, index] of indices.entries()) {
        const name = names[index] ?? "";
        const values = logits.data.subarray(row * perRow, (row + 1) * perRow);
        requireFinite(values, name);
        const prediction = processing.predict(values, examples[index], { config: model.config, topK });
        if (flags.json) printJson({ input: name, ...prediction.json });
        else predictions.push(prediction);
      }
    }
    if (!flags.json) print(table(task.columns, names, predictions));
  } finally {
    await model.dispose();
  }
}

/** `graft predict` */
export function predictCommand(): Command {
  const command = new Command("predict")
    .description(
      "Labels with probabilities for texts or pictures, tags for the words of sentences: one, those of a file, or those of a folder.",
    )
    .argument("<folder>", "adapter folder, or model folder")
    .argument(
      "<inputs...>",
      "texts, or files of texts (CSV, TSV, JSON lines, CoNLL, or .txt with one a line); pictures, or folders of pictures",
    )
    .addOption(new Option("--top-k <n>", "labels for each input, likeliest first").default("5"))
    .addOption(new Option("--pair <text>", "second text of a pair, for one input"))
    .addOption(new Option("--batch-size <rows>", "inputs in a batch").default("16"))
    .addOption(new Option("--json", "print one JSON object a line for each input"))
    .action(async (folder: string, inputs: string[], flags: PredictFlags) => {
      const run = await readRun(undefined, flags as unknown as Record<string, unknown>, ["", "data"]);
      await predict(folder, inputs, run, flags);
    });
  const keys = [...sourceKeys, ...tableKeys].filter((key) => key !== "labelColumn");
  addRunFlags(command, { sections: ["", "data"], only: new Set(keys), otherHelp: sourceHelp });
  return withExamples(command, [
    ['graft predict runs/sst2 "a charming and often affecting journey"', "One text"],
    ["graft predict runs/food101 lunch.jpg --model models/vit-tiny --top-k 3", "One picture"],
    ["graft predict runs/sst2 reviews.csv --text-column review --top-k 1 --json", "A file, as JSON lines"],
  ]);
}
