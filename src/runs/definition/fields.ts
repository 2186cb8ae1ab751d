import * as z from "zod";
import { snakeCase } from "../../case.js";
import { loraDefaults, loraFields, loraKeys } from "../../peft/config/lora-fields.js";
import { trainingArgumentFields } from "../../training/arguments/index.js";
import { type MetricName, metrics } from "../../training/metrics/index.js";

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
    .enum(["text-classification", "image-classification"])
    .describe("Default: what the model reads, texts or pictures"),
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
    .array(z.enum(Object.keys(metrics) as [MetricName, ...MetricName[]]))
    .min(1)
    .describe("What evaluations compute. Default: accuracy, or pearson for regression"),
  backend: z.enum(["cpu", "webgpu", "cuda"]).describe("What computes. Default: cpu"),
  threads: z.int().positive().describe("Threads of the engine. Default: one for each core"),
};

/** Keys of the section `data`. */
export const dataKeys = {
  train: path.describe(
    "Training data: a CSV, TSV or JSON-lines file of texts, or a folder with one folder of pictures for each class",
  ),
  eval: path.describe("Data that is evaluated during training"),
  test: path.describe("Data that is evaluated once at the end, with the weights that are saved"),
  format: z.enum(["csv", "tsv", "jsonl", "image-folder"]).describe("Default: by the file's extension"),
  delimiter: z
    .union([z.string().length(1), z.literal("\\t")])
    .describe('One character; \\t is a tab. Default: "," for CSV, a tab for TSV'),
  quoting: z
    .enum(["none", "standard"])
    .describe('"none": quotes are ordinary characters, as in GLUE. Default: "standard" for CSV, "none" for TSV'),
  header: z.boolean().describe("The first line names the columns. Default: true"),
  text_column: column.describe(
    "Name or number (from 0) of the column of texts. Default: text, sentence, sentence1, question or premise",
  ),
  text_pair_column: column.describe(
    "Column of the second text of a pair. Default: sentence2 or hypothesis beside sentence1 or premise",
  ),
  label_column: column.describe("Default: label, labels, score or class"),
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

const loraHelp: { readonly [K in keyof typeof loraKeys]: string } = {
  taskType: "Default: SEQ_CLS for texts, which also trains the classifier",
  r: "Rank of the update",
  loraAlpha: "The update is scaled by lora_alpha / r",
  loraDropout: "Share of the input of A that is dropped in training",
  targetModules:
    'Names of the adapted layers, a regular expression, or "all-linear". Default: the usual ones (query, value)',
  excludeModules: "Layers that are left out, as names or a regular expression",
  bias: "Biases that are trained: none, all, or those of the adapted layers",
  modulesToSave: "Modules that are trained and saved whole. Default for pictures: classifier",
  fanInFanOut: "The base stores weights as [in, out]",
  useRslora: "Scale by lora_alpha / sqrt(r)",
  initLoraWeights: 'true (A random, B zero), "gaussian" or false (both random)',
  baseModelNameOrPath: "What adapter_config.json names as the base. Default: the path of the model",
  revision: "Revision of the base that adapter_config.json names",
  inferenceMode: "Written as true, as PEFT does",
};

/** Keys of the section `lora`: PEFT's. */
export const loraSection: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  Object.entries(loraKeys)
    .filter(([field]) => field !== "inferenceMode")
    .map(([field, key]) => {
      const name = field as keyof typeof loraKeys;
      const usual = loraDefaults[name];
      const help = usual === null ? loraHelp[name] : `${loraHelp[name]}. Default: ${usual}`;
      return [key, loraFields.shape[name].describe(help)];
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
