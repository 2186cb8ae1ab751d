import type { LogEntry } from "../checkpoints/state.js";

/** What a card tells of a run. */
export interface CardFacts {
  /** The repository's last name. */
  readonly name: string;
  /** "org/name" of the repository, for the lines that load it. */
  readonly repoId: string;
  /** What the model was made from; null where nobody knows. */
  readonly baseModel: string | null;
  /** PEFT's name of the method; null for a model without adapter. */
  readonly method: string | null;
  /** The auto class of the base model, "AutoModelForImageClassification". */
  readonly autoClass: string;
  /** The Hub's word for the task, "image-classification". */
  readonly pipelineTag: string | undefined;
  readonly trainable: number;
  readonly total: number;
  readonly log: readonly LogEntry[];
  /** Options of the run that differ from the defaults. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly options: ModelCardOptions;
}

/** What only the user knows of a card. */
export interface ModelCardOptions {
  /** Data sets on the Hub, or other names. */
  readonly datasets?: readonly string[];
  readonly language?: string | readonly string[];
  readonly license?: string;
  readonly tags?: readonly string[];
}

/** Names on the Hub; a folder's path is nothing that a card should tell. */
const isHubName = (name: string): boolean => /^[\w-][\w.-]*(\/[\w.-]+)?$/.test(name);

/** Data on somebody's disk is called by its last name. */
const dataNames = ({ datasets = [] }: ModelCardOptions): string[] =>
  datasets.map((name) => (isHubName(name) ? name : (name.split(/[/\\]/).at(-1) as string)));

const PREFIX = /^eval_/;
const pace = /_(runtime|samples_per_second|steps_per_second)$/;

const scoresOf = (entry: LogEntry): [string, number][] =>
  Object.entries(entry).filter(
    (pair): pair is [string, number] => PREFIX.test(pair[0]) && !pace.test(pair[0]) && typeof pair[1] === "number",
  );

const isEvaluation = (entry: LogEntry): boolean => typeof entry.eval_loss === "number";

const spelled = (name: string): string => name.replace(PREFIX, "");

/** A number in a table: a few digits are enough. */
const shown = (value: unknown): string =>
  typeof value === "number" ? String(Number.isInteger(value) ? value : Number(value.toPrecision(5))) : "";

function metadata(facts: CardFacts): Record<string, unknown> {
  const { name, baseModel, method, pipelineTag, log, options } = facts;
  const last = log.findLast(isEvaluation);
  const metrics = last === undefined ? [] : scoresOf(last).filter(([key]) => key !== "eval_loss");
  const [dataset] = dataNames(options);
  const isAdapter = method !== null;
  const base = baseModel !== null && isHubName(baseModel) ? baseModel : undefined;
  const tags = [
    ...(isAdapter
      ? [method.toLowerCase(), ...(base ? [`base_model:adapter:${base}`] : []), "transformers"]
      : ["generated_from_trainer"]),
    "graft-peft",
    ...(options.tags ?? []),
  ];
  const result = {
    ...(pipelineTag !== undefined && { task: { type: pipelineTag, name: pipelineTag.replaceAll("-", " ") } }),
    dataset: { name: dataset ?? "unknown", type: dataset !== undefined && isHubName(dataset) ? dataset : "unknown" },
    metrics: metrics.map(([key, value]) => ({ name: spelled(key), type: spelled(key), value })),
  };
  return {
    ...(options.language !== undefined && { language: options.language }),
    ...(options.license !== undefined && { license: options.license }),
    library_name: isAdapter ? "peft" : "transformers",
    ...(base !== undefined && { base_model: base, base_model_relation: isAdapter ? "adapter" : "finetune" }),
    ...(pipelineTag !== undefined && { pipeline_tag: pipelineTag }),
    tags,
    ...(options.datasets?.some(isHubName) && { datasets: options.datasets.filter(isHubName) }),
    ...(metrics.length > 0 && { metrics: metrics.map(([key]) => spelled(key)) }),
    ...(metrics.length > 0 && pipelineTag !== undefined && { "model-index": [{ name, results: [result] }] }),
  };
}

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...others] = rows;
  return [head, head.map(() => "---"), ...others].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** A row for each evaluation, with the mean loss that was logged before it. */
function results(log: readonly LogEntry[]): string {
  const all = log.filter(isEvaluation);
  // The last evaluation, of the best weights, is of a step that stands there already.
  const evaluations = all.filter((entry, at) => all.findIndex(({ step }) => step === entry.step) === at);
  const names = [...new Set(evaluations.flatMap((entry) => scoresOf(entry).map(([key]) => key)))];
  const lossBefore = (entry: LogEntry): unknown =>
    log.slice(0, log.indexOf(entry)).findLast(({ loss }) => loss !== undefined)?.loss;
  const rows = evaluations.map((entry) =>
    [entry.epoch, entry.step, lossBefore(entry), ...names.map((key) => entry[key])].map(shown),
  );
  return rows.length === 0
    ? "The run had no evaluation."
    : table([["epoch", "step", "training loss", ...names.map(spelled)], ...rows]);
}

const MARKS = "▁▂▃▄▅▆▇█";
const LONGEST_CURVE = 60;

/** A curve in one line of text: a mark for each of at most so many values. */
function curve(values: readonly number[]): string {
  const step = Math.max(1, values.length / LONGEST_CURVE);
  const few = Array.from(
    { length: Math.floor(values.length / step) },
    (_, at) => values[Math.floor(at * step)] as number,
  );
  const [least, most] = [Math.min(...few), Math.max(...few)];
  const mark = (value: number) => MARKS[Math.min(7, Math.floor((8 * (value - least)) / (most - least || 1)))] as string;
  return few.map(mark).join("");
}

function curves(log: readonly LogEntry[]): string {
  const series: [string, number[]][] = ["loss", "eval_loss"].map((key) => [
    key,
    log.map((entry) => entry[key]).filter((value): value is number => typeof value === "number"),
  ]);
  const lines = series
    .filter(([, values]) => values.length > 1)
    .map(([key, values]) => `${key.padEnd(9)} ${shown(values[0])} ${curve(values)} ${shown(values.at(-1))}`);
  return lines.length === 0 ? "" : `\n\`\`\`text\n${lines.join("\n")}\n\`\`\`\n`;
}

function usage({ repoId, baseModel, method, autoClass }: CardFacts): string {
  if (method === null) {
    return `\`\`\`ts
import { ${autoClass} } from "graft-peft";
const model = await ${autoClass}.fromPretrained("${repoId}");
\`\`\`

\`\`\`py
from transformers import ${autoClass}
model = ${autoClass}.from_pretrained("${repoId}")
\`\`\``;
  }
  const base = baseModel ?? "<the base model>";
  const peftClass = autoClass.replace("Auto", "AutoPeft");
  return `With graft-peft (TypeScript):

\`\`\`ts
import { ${peftClass} } from "graft-peft";
const model = await ${peftClass}.fromPretrained("${repoId}");
\`\`\`

With PEFT (Python):

\`\`\`py
from peft import PeftModel
from transformers import ${autoClass}
model = PeftModel.from_pretrained(${autoClass}.from_pretrained("${base}"), "${repoId}")
\`\`\`

With transformers.js, which reads no adapters: merge and export it first (\`graft export <this folder> onnx\`).`;
}

/** The README.md of a run: the Hub's metadata, the method, counts, results, settings and how to load it. */
export async function runCard(facts: CardFacts): Promise<string> {
  // When it is needed: bundles of programs that push nothing begin without it.
  const { stringify } = await import("yaml");
  const { name, baseModel, method, trainable, total, log, settings, options } = facts;
  const of =
    baseModel === null
      ? "a model"
      : isHubName(baseModel)
        ? `[${baseModel}](https://huggingface.co/${baseModel})`
        : `\`${baseModel.split(/[/\\]/).at(-1)}\``;
  const data = dataNames(options).length > 0 ? ` on ${dataNames(options).join(", ")}` : "";
  const what = method === null ? `${of}, fine-tuned${data}` : `A ${method} adapter of ${of}, trained${data}`;
  const share = ((100 * trainable) / total).toFixed(2);
  const set = Object.entries(settings).map(([key, value]) => [`\`${key}\``, `\`${JSON.stringify(value)}\``]);
  return `---
${stringify(metadata(facts))}---

# ${name}

${what}. ${trainable.toLocaleString("en")} of ${total.toLocaleString("en")} parameters were trained (${share} %).

## Results

${results(log)}
${curves(log)}
## Settings

${set.length === 0 ? "All are the defaults." : table([["argument", "value"], ...set])}

## Use

${usage(facts)}
`;
}
