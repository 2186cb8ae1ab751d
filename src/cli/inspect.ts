import { Command, Option } from "commander";
import { platform } from "#platform";
import { snakeCase } from "../case.js";
import { GraftError } from "../errors.js";
import { isOfHub, resolveFiles } from "../hub/index.js";
import { type FrozenPrecisionReport, readPrecisionReport } from "../precision/index.js";
import type { Run } from "../runs/definition/run.js";
import { describeAdapter, holdsAdapter } from "../runs/inspect/adapter.js";
import type { LayerNorm } from "../runs/inspect/adapter-norms.js";
import { type ModelSummary, requireExisting, summarizeModel } from "../runs/inspect/model.js";
import { checkpointState, linesOf, type TensorLine, tensorsOfFile, tensorsOfFolder } from "../runs/inspect/weights.js";
import { readSettings } from "../runs/models/settings.js";
import { requireModel } from "../runs/models/source.js";
import { addRunFlags, readRun } from "./run-file/flags.js";
import { addMethodLines } from "./run-file/method-lines.js";
import { withExamples } from "./shell/examples.js";
import { formatBytes, formatCount } from "./shell/format.js";
import { normTable, tensorTable, totals } from "./shell/inspection.js";
import { precisionSummary, precisionTable } from "./shell/precision-table.js";
import { print, printJson, warn } from "./shell/print.js";
import { renderPairs } from "./shell/table.js";

interface InspectFlags {
  readonly all?: true;
  readonly json?: true;
}

/** Rows of the tables of tensors and of int8 products, unless all are asked for. */
const SHOWN_TENSORS = 20;
const SHOWN_PRODUCTS = 10;

/** What is known about a path, in the order in which it is told. */
interface Inspection {
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly json: Readonly<Record<string, unknown>>;
  readonly tensors: readonly TensorLine[] | undefined;
  /** What became of `frozen_precision: int8`, where the run asked for it. */
  readonly precision?: FrozenPrecisionReport | undefined;
  /** An adapter's norms. */
  readonly layers?: readonly LayerNorm[];
}

const shownValue = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value) ?? ""));

function list(values: readonly string[], most: number): string {
  const rest = values.length - most;
  return values.slice(0, most).join(", ") + (rest > 0 ? `, ... (${values.length} in all)` : "");
}

/** Names that hold commas stay apart. */
const labelList = (labels: readonly string[]): string =>
  `${labels.length}: ${list(
    labels.map((label) => (label.includes(",") ? JSON.stringify(label) : label)),
    10,
  )}`;

function modelFacts({
  className,
  modelType,
  sizes,
  labels,
  parameters,
  checkpointBytes,
  adapter,
}: ModelSummary): [string, string][] {
  return [
    ["model", `${className} (${modelType})`],
    ...Object.entries(sizes).map(([name, size]): [string, string] => [snakeCase(name), shownValue(size)]),
    ...(labels.length > 0 ? [["labels", labelList(labels)] as [string, string]] : []),
    ["parameters", formatCount(parameters)],
    [
      "checkpoint",
      `${formatBytes(checkpointBytes.float32)} in float32, ${formatBytes(checkpointBytes.float16)} in float16`,
    ],
    ...(adapter
      ? ([
          [`${adapter.type} on`, `${adapter.targets.length} layers: ${list(adapter.targets, 4)}`],
          ["counted once", formatCount(adapter.allCountedOnce)],
          ["PEFT says", adapter.line],
          ["trained", `${formatBytes(adapter.trainedBytes)}; ${formatBytes(adapter.trainingBytes)} with AdamW's state`],
        ] as [string, string][])
      : []),
  ];
}

async function inspectFile(path: string): Promise<Inspection> {
  if (!/\.(safetensors|bin|pt|pth|index\.json)$/.test(path)) {
    throw new GraftError(
      "unsupported",
      `${path} is neither a folder nor a file of tensors`,
      "Name a model folder, an adapter folder, a checkpoint, a file of tensors (.safetensors; .bin and .pt of torch) or an index of shards.",
    );
  }
  const { tensors, metadata } = await tensorsOfFile(path);
  const facts = Object.entries(metadata).map(([key, value]): [string, string] => [`metadata ${key}`, value]);
  return {
    facts: [["file", path], ...facts],
    json: { kind: /\.safetensors(\.index\.json)?$/.test(path) ? "safetensors" : "pickle", metadata },
    tensors,
  };
}

async function inspectAdapter(path: string): Promise<Inspection> {
  const { format, config, ranks, verdict, file, layers } = await describeAdapter(path);
  const settings = await readSettings(path);
  const state = await checkpointState(path);
  const tensors = file && linesOf(file);
  const labels = Object.values(settings?.labels?.id2label ?? {});
  const precision = await readPrecisionReport(path);
  const rankText = Object.entries(ranks).map(([rank, count]) => `${rank} (${count})`);
  const facts: [string, string][] = [
    [state ? "checkpoint" : "adapter", path],
    ["format", format],
    ...Object.entries(config).map(([key, value]): [string, string] => [key, shownValue(value)]),
    ...(rankText.length > 0 ? [["ranks", rankText.join(", ")] as [string, string]] : []),
    ["Graft runs it", verdict.why],
    ...(labels.length > 0 ? [["labels", labelList(labels)] as [string, string]] : []),
    ...Object.entries(state ?? {})
      .filter(([, value]) => value !== null)
      .map(([key, value]): [string, string] => [snakeCase(key), shownValue(value)]),
    ...(precision ? [["frozen products", precisionSummary(precision)] as [string, string]] : []),
  ];
  const frozenPrecision = precision && { frozenPrecision: precision };
  const kind = state ? "checkpoint" : "adapter";
  const json = {
    kind,
    format,
    config,
    ranks,
    runs: verdict,
    labels,
    layers,
    ...(state && { state }),
    ...frozenPrecision,
  };
  return { facts, json, tensors, precision, layers };
}

async function inspectModel(path: string, run: Run, isTuned: boolean): Promise<Inspection> {
  await requireModel(path);
  const summary = await summarizeModel(path, run, isTuned, { onWarning: warn });
  const tensors = await tensorsOfFolder(await resolveFiles(path, "model"));
  return { facts: modelFacts(summary), json: { ...summary }, tensors };
}

async function inspect(path: string, flags: InspectFlags): Promise<void> {
  const run = await readRun(undefined, flags as Record<string, unknown>, [""]);
  const isTuned = run.method !== undefined;
  await requireExisting(path);
  const isAdapter = await holdsAdapter(path);
  const isFolder = (await platform.isDirectory(path)) || (await isOfHub(path));
  if (isTuned && (isAdapter || !isFolder)) {
    throw new GraftError(
      "invalid-argument",
      `${path} is no model, so what ${run.method} trains cannot be counted on it`,
      "Name the base model's folder.",
    );
  }
  const found = !isFolder
    ? await inspectFile(path)
    : isAdapter
      ? await inspectAdapter(path)
      : await inspectModel(path, run, isTuned);
  const { tensors, precision, layers = [] } = found;
  if (flags.json) {
    printJson({ path, ...found.json, ...(tensors && { totals: totals(tensors), tensors }) });
    return;
  }
  print(renderPairs(found.facts));
  const decisions = precision && precisionTable(precision, flags.all ? precision.products.length : SHOWN_PRODUCTS);
  if (decisions !== undefined) print(`\n${decisions}`);
  if (layers.length > 0) print(`\n${normTable(layers)}`);
  if (tensors) print(`\n${tensorTable(tensors, flags.all ? tensors.length : SHOWN_TENSORS)}`);
}

/** `graft inspect` */
export function inspectCommand(): Command {
  const command = new Command("inspect")
    .description(
      "What a model, an adapter, a checkpoint or a safetensors file holds; and what a tuning method would train.",
    )
    .argument("<path>", "folder of a model, adapter or checkpoint, its name on the Hub, or a safetensors file")
    .addOption(new Option("--all", "show every tensor and every int8 product"))
    .addOption(new Option("--json", "print everything as one JSON object"))
    .action((path: string, flags: InspectFlags) => inspect(path, flags));
  addMethodLines(command);
  addRunFlags(command, { sections: [""], only: new Set(["method", "labels", "numLabels"]) });
  return withExamples(command, [
    [
      "graft inspect models/vit-base --lora r=16,targets=query,value --num-labels 101",
      "Trainable parameters before any training; no weights are read",
    ],
    ["graft inspect google/vit-base-patch16-224", "A model of the Hub, from its headers: no weights are downloaded"],
    ["graft inspect runs/sst2 --all", "An adapter's config and tensors"],
    ["graft inspect models/bert/model.safetensors --json", "A file's tensors, for machines"],
  ]);
}
