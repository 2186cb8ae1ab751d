import { Command, Option } from "commander";
import { dataLoader } from "../data/index.js";
import { GraftError } from "../errors.js";
import { processingOf } from "../runs/data/data.js";
import { predictInputs } from "../runs/data/inputs.js";
import { type Prediction, predictionOf } from "../runs/data/probabilities.js";
import type { Run } from "../runs/definition/run.js";
import { engineOf } from "../runs/models/engine.js";
import { openSource } from "../runs/models/open.js";
import { resolveSource } from "../runs/models/source.js";
import { addRunFlags, countFlag, readRun } from "./run-file/flags.js";
import { sourceHelp, sourceKeys, tableKeys } from "./run-file/source-flags.js";
import { withExamples } from "./shell/examples.js";
import { formatNumber, formatShare } from "./shell/format.js";
import { print, printJson, warn } from "./shell/print.js";
import { renderTable } from "./shell/table.js";

interface PredictFlags {
  readonly topK: string;
  readonly batchSize: string;
  readonly pair?: string;
  readonly json?: true;
}

/** Longer texts are cut in the table; JSON has them whole. */
const SHOWN_TEXT = 60;

function cellsOf(prediction: Prediction): [label: string, probability: string][] {
  if ("value" in prediction) return [["value", formatNumber(prediction.value)]];
  return prediction.labels.map(({ label, probability }) => [label, formatShare(probability)]);
}

/** The start of a text; the end of a path, where the file's name is. */
function shorten(name: string): string {
  if (name.length <= SHOWN_TEXT) return name;
  const isPath = /[/\\][^\s]*$/.test(name);
  return isPath ? `...${name.slice(3 - SHOWN_TEXT)}` : `${name.slice(0, SHOWN_TEXT - 3)}...`;
}

function table(names: readonly string[], predictions: readonly Prediction[]): string {
  const label = { title: "label" };
  const probability = { title: "probability", align: "right" } as const;
  if (predictions.length === 1) return renderTable([label, probability], predictions.flatMap(cellsOf));
  const rows = predictions.flatMap((prediction, row) => {
    const shown = shorten(names[row] ?? "");
    return cellsOf(prediction).map((cells, rank) => [rank === 0 ? shown : "", ...cells]);
  });
  return renderTable([{ title: "input" }, label, probability], rows);
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
  const { names, examples } = await predictInputs(source.task, given, flags.pair, run.data);
  const { model } = await openSource(source, { labels: run.labels, engine: engineOf(run), onWarning: warn });
  try {
    const processing = await processingOf({
      task: source.task,
      folder: source.processing,
      network: model.network,
      maxLength: run.data.maxLength ?? source.settings?.maxLength,
    });
    const dataset = processing.dataset(examples, "evaluate");
    const predictions: Prediction[] = [];
    for await (const { tensors, indices } of dataLoader({ dataset, batchSize, collate: processing.collate })) {
      const { logits } = await model(tensors);
      const classes = logits.data.length / indices.length;
      for (const [row, index] of indices.entries()) {
        const name = names[index] ?? "";
        const values = logits.data.subarray(row * classes, (row + 1) * classes);
        requireFinite(values, name);
        const prediction = predictionOf(values, model.config, topK);
        if (flags.json) printJson({ input: name, ...prediction });
        else predictions.push(prediction);
      }
    }
    if (!flags.json) print(table(names, predictions));
  } finally {
    await model.dispose();
  }
}

/** `graft predict` */
export function predictCommand(): Command {
  const command = new Command("predict")
    .description("Labels with probabilities for texts or pictures: one, those of a file, or those of a folder.")
    .argument("<folder>", "adapter folder, or model folder")
    .argument(
      "<inputs...>",
      "texts, or files of texts (CSV, TSV, JSON lines, or .txt with one a line); pictures, or folders of pictures",
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
