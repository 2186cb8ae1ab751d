import * as z from "zod";
import { snakeCase } from "../../case.js";
import { isJsonObject } from "../../json.js";
import { keyOf } from "../../options/option-table.js";
import { LoraConfig } from "../../peft/index.js";
import { dataFormats, taskNames } from "../../tasks/index.js";
import { trainingArgumentFields } from "../../training/arguments/index.js";
import { type MetricName, metricNames } from "../../training/metrics/index.js";

const path = z.string().min(1);
const rows = z.int().positive();
const column = z.union([z.string().min(1), z.int().gte(0)]);

/** Keys of a run file outside of its sections. */
export const runKeys = {
  model: path.describe(
    "Folder of the base model: config.json, model.safetensors, tokenizer.json or preprocessor_config.json",
  ),
  output: path.describe("Folder that the adapter is written to, with checkpoints and events.jsonl"),
  task: z
    .enum(taskNames)
    .describe("Default: by the model's own head, or by what it reads: classes of texts, or of pictures"),
  labels: z
    .array(z.string().min(1))
    .min(1)
    .describe("Names of the classes in the order of their ids. Default: from the training data"),
  num_labels: z
    .int()
    .positive()
    .describe("Number of classes, where they need no names; they become LABEL_0, LABEL_1, ..."),
  problem_type: z.enum(["single_label_classification", "regression"]).describe("Default: single_label_classification"),
  ignore_mismatched_sizes: z
    .boolean()
    .describe(
      "Begin with new tensors wherever shapes differ. Default: for the head alone, which another number of classes replaces",
    ),
  metrics: z
    .array(z.enum(metricNames as [MetricName, ...MetricName[]]))
    .min(1)
    .describe("What evaluations compute. Default: accuracy; pearson for regression; seqeval for tags of words"),
  backend: z.enum(["cpu", "webgpu", "cuda"]).describe("What computes. Default: cpu"),
  threads: z.int().positive().describe("Threads of the engine. Default: one for each core"),
};

/** Keys of the section `data`. */
export const dataKeys = {
  train: path.describe(
    "Training data: a CSV, TSV or JSON-lines file of texts, a CoNLL-like or JSON-lines file of tagged words, or a folder with one folder of pictures for each class",
  ),
  eval: path.describe("Data that is evaluated during training"),
  test: path.describe("Data that is evaluated once at the end, with the weights that are saved"),
  format: z.enum(dataFormats).describe("Default: by the file's extension"),
  delimiter: z
    .union([z.string().length(1), z.literal("\\t")])
    .describe('One character; \\t is a tab. Default: "," for CSV, a tab for TSV'),
  quoting: z
    .enum(["none", "standard"])
    .describe('"none": quotes are ordinary characters, as in GLUE. Default: "standard" for CSV, "none" for TSV'),
  header: z.boolean().describe("The first line names the columns. Default: true"),
  text_column: column.describe(
    "Name or number (from 0) of the column of texts. Default: text, sentence, sentence1, question or premise; of words: tokens or words, or the first",
  ),
  text_pair_column: column.describe(
    "Column of the second text of a pair. Default: sentence2 or hypothesis beside sentence1 or premise",
  ),
  label_column: column.describe(
    "Name or number of the column of labels. Default: label, labels, score or class; of tags: ner_tags, tags or labels, or the last",
  ),
  max_length: z.int().positive().describe("Most tokens in a row; longer texts are cut. Default: the model's limit"),
  train_limit: rows.describe("Use the first rows only"),
  eval_limit: rows.describe("Use the first rows only"),
  test_limit: rows.describe("Use the first rows only"),
  transforms: z
    .enum(["resize", "augment"])
    .describe(
      'Pictures: "resize" prepares them as preprocessor_config.json says; "augment" trains on random crops and mirrored pictures and evaluates the centre. Default: resize',
    ),
};

/** Keys of the section `lora`: PEFT's. */
export const loraSection: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  Object.entries(LoraConfig.options)
    .filter(([field]) => field !== "inferenceMode")
    .map(([field, { schema, default: usual, help }]) => {
      const described = usual === null ? help : `${help}. Default: ${isJsonObject(usual) ? "{}" : usual}`;
      return [keyOf(LoraConfig.options, field), schema.describe(described)];
    }),
);

function withDefault(schema: z.ZodType): z.ZodType {
  const usual = schema instanceof z.ZodDefault ? (schema.def.defaultValue as unknown) : undefined;
  const help = schema.description ?? "";
  return usual === undefined || usual === null ? schema : schema.describe(`${help}. Default: ${String(usual)}`);
}

/** Keys of the section `training`: those of transformers' TrainingArguments; `output` stands outside of it. */
export const trainingSection: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  Object.entries(trainingArgumentFields)
    .filter(([name]) => name !== "outputDir")
    .map(([name, schema]) => [snakeCase(name), withDefault(schema)]),
);

/** Every section of a run file, "" for the keys outside. Flags, checks and messages are made from this table. */
export const sections: { readonly [S in SectionName]: Readonly<Record<string, z.ZodType>> } = {
  "": runKeys,
  data: dataKeys,
  lora: loraSection,
  training: trainingSection,
};

export type SectionName = "" | "data" | "lora" | "training";

export const sectionNames = ["", "data", "lora", "training"] as const;
