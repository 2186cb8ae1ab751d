import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as graft from "graft-peft";
import { expect, test } from "vitest";

/** What a program can use at run time. A name is added here on purpose, or not at all. */
const values = [
  "AdaLoraConfig",
  "AdapterDropConfig",
  "AutoConfig",
  "AutoImageProcessor",
  "AutoModel",
  "AutoModelForImageClassification",
  "AutoModelForSequenceClassification",
  "AutoModelForTokenClassification",
  "AutoPeftModel",
  "AutoPeftModelForFeatureExtraction",
  "AutoPeftModelForImageClassification",
  "AutoPeftModelForSequenceClassification",
  "AutoPeftModelForTokenClassification",
  "AutoTokenizer",
  "BitFitConfig",
  "DataCollatorForTokenClassification",
  "DataCollatorWithPadding",
  "EarlyStoppingCallback",
  "Engine",
  "EventLogCallback",
  "FullConfig",
  "FullTopConfig",
  "GraftError",
  "HoulsbyConfig",
  "IA3Config",
  "ImageProcessor",
  "Int8Precision",
  "LNTuningConfig",
  "LinConfig",
  "LoHaConfig",
  "LoKrConfig",
  "LoraConfig",
  "PeftConfig",
  "PeftModel",
  "PfeifferConfig",
  "PreEmbedConfig",
  "PreLayerConfig",
  "PreTrainedModel",
  "PrefixTuningConfig",
  "PrinterCallback",
  "PromptEncoderConfig",
  "PromptTuningConfig",
  "TableDataset",
  "Trainer",
  "TrainingArguments",
  "TrainingSession",
  "TunerLayer",
  "VeraConfig",
  "accuracy",
  "argMax",
  "centerCrop",
  "collateImages",
  "compose",
  "configClass",
  "convert",
  "createTrainingSession",
  "dataLoader",
  "datasetOf",
  "evaluateMetrics",
  "executeRun",
  "exportOnnx",
  "f1",
  "formatLoadingReport",
  "getPeftModel",
  "getPeftModelStateDict",
  "imageDataset",
  "int2str",
  "labelNames",
  "lastCheckpoint",
  "loadDataset",
  "loadImage",
  "loadMetric",
  "login",
  "logout",
  "lora",
  "matthewsCorrelation",
  "metrics",
  "normalize",
  "onHubProgress",
  "pearson",
  "platform",
  "prepareRun",
  "pushFolder",
  "randomHorizontalFlip",
  "randomResizedCrop",
  "rawImage",
  "readImageFolder",
  "readPrecisionReport",
  "readRunFile",
  "readTextDataset",
  "readTokenDataset",
  "registerTuner",
  "resize",
  "runOf",
  "selectRows",
  "setPeftModelStateDict",
  "splitDataset",
  "textDatasetFrom",
  "toTensor",
  "tokenizeDataset",
  "tokenizeWords",
  "whoAmI",
];

test("the public names are these", () => {
  expect(Object.keys(graft).sort()).toEqual(values);
});

test("the public index names what it exports, one by one", () => {
  const index = readFileSync(new URL("../../src/index.ts", import.meta.url), "utf8");
  expect(index).not.toMatch(/export \*/);
});

test("paths of models', adapters', tokenizers' and processors' files are joined in one room", () => {
  const root = fileURLToPath(new URL("../../src", import.meta.url));
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).map((file) => file.replaceAll("\\", "/"));
  const joining = files.filter((file) => {
    if (!file.endsWith(".ts") || /^(hub|platform)\//.test(file)) return false;
    return /platform\.(join|listDirectory)\(/.test(readFileSync(join(root, file), "utf8"));
  });
  // What these join is no part of a model: pictures, profiles, a trainer's own files, output folders being checked.
  expect(joining.sort()).toEqual([
    "data/datasets/file-sources.ts",
    "data/datasets/load-dataset.ts",
    "data/readers/folder-shape.ts",
    "data/readers/image-folder.ts",
    "data/readers/picture-tree.ts",
    // Read and written beside the resolver until they are moved behind it.
    "data/tokenizing/save-tokenizer.ts",
    "precision/report.ts",
    "runs/inspect/weights.ts",
    "runs/models/output-folder.ts",
    "runs/training/execute.ts",
    "runtime/backends/ort-backend.ts",
    "training/callbacks/event-log.ts",
    "training/checkpoints/checkpoint.ts",
    "training/writable.ts",
  ]);
});
