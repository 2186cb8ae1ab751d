import * as z from "zod";
import { tooLongChoices } from "../../data/index.js";
import { type Option, type OptionKind, option } from "../../options/option-table.js";
import { problemTypes } from "../../problem-type.js";
import { dataFormats, taskNames } from "../../tasks/index.js";
import { type MetricName, metricNames } from "../../training/metrics/index.js";

const path = z.string().min(1);
const count = z.int().positive();
const column = z.union([z.string().min(1), z.int().gte(0)]);
const aboveZero = "a whole number above 0";
const columns = z.union([column, z.array(column).min(1)]);
const nameOrNumber = "a name, or a number from 0";
const namesOrNumbers = "a name, a number from 0, or several of them";

/** An option without a default: what stands in its place follows from the rest of the run. */
function given<T>(kind: OptionKind, schema: z.ZodType<T>, help: string, expected?: string): Option<T | undefined> {
  return option(kind, schema.optional(), undefined, { help, ...(expected !== undefined && { expected }) });
}

/** Options of a run outside of its sections. */
export const runOptions = {
  model: given(
    "text",
    path,
    "Folder of the base model: config.json, model.safetensors, tokenizer.json or preprocessor_config.json",
  ),
  output: given("text", path, "Folder that the adapter is written to, with checkpoints and events.jsonl"),
  task: given(
    "choice",
    z.enum(taskNames),
    "Default: by the model's own head, or by what it reads: classes of texts, or of pictures",
  ),
  method: given(
    "text",
    z.string().min(1),
    "How the model is tuned. Default: the method whose section the run has, or the first of the list below",
  ),
  labels: given(
    "list",
    z.array(z.string().min(1)).min(1),
    "Names of the classes in the order of their ids. Default: from the training data",
  ),
  numLabels: given(
    "integer",
    count,
    "Number of classes, where they need no names; they become LABEL_0, LABEL_1, ...",
    aboveZero,
  ),
  problemType: given(
    "choice",
    z.enum(problemTypes),
    "What labels are. Default: what config.json says; else what the labels show: values with a fraction, lists of several, or one class a row",
  ),
  ignoreMismatchedSizes: given(
    "switch",
    z.boolean(),
    "Begin with new tensors wherever shapes differ. Default: for the head alone, which another number of classes replaces",
  ),
  allowMissing: given(
    "switch",
    z.boolean(),
    "Go on with random values where tensors of the model are in no file. Default: that is an error, but for a new head",
  ),
  metrics: given(
    "list",
    z.array(z.enum(metricNames as [MetricName, ...MetricName[]])).min(1),
    "What evaluations compute. Default: accuracy; pearson for regression; multi_label for several labels; seqeval for tags of words; perplexity and token_accuracy for language models",
    `some of ${metricNames.join(", ")}`,
  ),
  plainLora: given(
    "switch",
    z.boolean(),
    "Save PiSSA or OLoRA as a plain LoRA of twice the rank, which needs no decomposition when it is loaded. Default: false",
  ),
  backend: given("choice", z.enum(["cpu", "webgpu", "cuda"]), "What computes. Default: cpu"),
  threads: given("integer", count, "Threads of the engine. Default: one for each core", aboveZero),
};

/** Options of the section `data`. */
export const dataOptions = {
  train: given(
    "text",
    path,
    "Training data: a CSV, TSV or JSON-lines file of texts (for language models JSON and plain text as well), a CoNLL-like or JSON-lines file of tagged words, or a folder with one folder of pictures for each class",
  ),
  eval: given("text", path, "Data that is evaluated during training"),
  test: given("text", path, "Data that is evaluated once at the end, with the weights that are saved"),
  format: given("choice", z.enum(dataFormats as [string, ...string[]]), "Default: by the file's extension"),
  delimiter: given(
    "text",
    z.union([z.string().length(1), z.literal("\\t")]),
    'One character; \\t is a tab. Default: "," for CSV, a tab for TSV',
    "one character, or \\t for a tab",
  ),
  quoting: given(
    "choice",
    z.enum(["none", "standard"]),
    '"none": quotes are ordinary characters, as in GLUE. Default: "standard" for CSV; for TSV what the file shows',
  ),
  header: option("switch", z.boolean().optional(), true, {
    help: "The first line names the columns. Where columns are given by number, what the first line shows",
  }),
  textColumn: given(
    "mixed",
    columns,
    "Name or number (from 0) of the column of texts; two of them (a,b) are pairs. Default: a known pair (sentence1 and sentence2, question and passage, ...), or text, sentence, review, ...; of words: tokens or words, or the first; for language models one of texts, or prompts and completions (a,b)",
    namesOrNumbers,
  ),
  textPairColumn: given(
    "mixed",
    column,
    "Column of the second text of a pair. Default: the other one of a known pair",
    nameOrNumber,
  ),
  labelColumn: given(
    "mixed",
    columns,
    "Name or number of the column of labels; several of them (a,b,c) hold 0 or 1 for a label each. Default: label, labels, score, class, ...; of tags: ner_tags, tags or labels, or the last",
    namesOrNumbers,
  ),
  labelSeparator: given(
    "text",
    z.string().min(1),
    "What stands between the labels of a row that has several. Default: the first of | ; , that occurs",
  ),
  maxLength: given(
    "integer",
    count,
    "Most tokens in a row; longer texts are cut. Default: the model's limit",
    aboveZero,
  ),
  assistantOnly: given(
    "switch",
    z.boolean(),
    "Language models: of chats only the assistant's turns are learnt. Default: all of a chat",
  ),
  completionOnly: given(
    "switch",
    z.boolean(),
    "Language models: of prompts and completions only the completions are learnt. Default: so it is",
  ),
  packing: given(
    "switch",
    z.boolean(),
    "Language models: several rows in one of up to max_length tokens, none of which sees another. Default: a row for each",
  ),
  tooLong: given(
    "choice",
    z.enum(tooLongChoices),
    "Language models: prompts and chats of more than max_length tokens are cut at their end, skipped, or an error; running texts are read in pieces. Default: cut",
  ),
  chatTemplate: given(
    "text",
    z.string().min(1),
    "Language models: a chat template by its file (.jinja), its name in the tokenizer, or its text. Default: the tokenizer's",
  ),
  padToken: given(
    "text",
    z.string().min(1),
    "The token that fills rows up, where the tokenizer has none: one of its vocabulary, such as <|endoftext|>. Saved with the adapter",
  ),
  trainLimit: given("integer", count, "Use the first rows only", aboveZero),
  evalLimit: given("integer", count, "Use the first rows only", aboveZero),
  testLimit: given("integer", count, "Use the first rows only", aboveZero),
  transforms: given(
    "choice",
    z.enum(["resize", "augment"]),
    'Pictures: "resize" prepares them as preprocessor_config.json says; "augment" trains on random crops and mirrored pictures and evaluates the centre. Default: resize',
  ),
};
