import {
  DataCollatorWithPadding,
  type ReadTextOptions,
  readTextDataset,
  type TableFormat,
  type TextExample,
  type TokenizedExample,
  tokenizeDataset,
} from "../data/index.js";
import { metricsOfLabels } from "./label-metrics.js";
import { predictionOf } from "./probabilities.js";
import { type DataOptions, defineTask } from "./task.js";
import { isInputFile, linesOf, requireFormat, requireNoFolder } from "./text-inputs.js";
import { textProcessing, tokenizerSources } from "./tokenizer.js";

const formats = ["csv", "tsv", "jsonl", "json", "parquet"] as const satisfies readonly TableFormat[];
const isTable = (path: string): boolean => /\.(csv|tsv|tab|jsonl|ndjson)$/i.test(path);

/** The options of the reader of tables. @throws GraftError `invalid-argument` for a format of other data */
export function tableOptions({ limit, format, ...options }: DataOptions): ReadTextOptions {
  requireFormat(format, formats, "texts");
  return {
    ...options,
    ...(format !== undefined && { format: format as TableFormat }),
    ...(options.delimiter === "\\t" && { delimiter: "\t" }),
    ...(limit !== undefined && { end: limit }),
  };
}

async function textsOf(argument: string, pair: string | undefined, options: DataOptions): Promise<TextExample[]> {
  const isFile = await isInputFile(argument, isTable(argument) || /\.txt$/i.test(argument));
  if (!isFile || pair !== undefined) return [{ text: argument, ...(pair !== undefined && { textPair: pair }) }];
  if (isTable(argument) || options.format !== undefined) {
    return [...(await readTextDataset(argument, { ...tableOptions(options), labelColumn: null })).examples];
  }
  return (await linesOf(argument)).map((text) => ({ text }));
}

/** One class, several classes, or a value, for each text or pair of texts. */
export const textClassification = defineTask<TextExample, TokenizedExample>({
  head: "sequenceClassification",
  reads: "texts",
  processingFiles: tokenizerSources,
  formats,
  problemTypes: ["single_label_classification", "regression", "multi_label_classification"],
  adapterDefaults: { task_type: "SEQ_CLS" },
  columns: ["label", "probability"],
  metrics: (problemType) => metricsOfLabels[problemType],
  async read(path, options) {
    const reading = tableOptions(options);
    await requireNoFolder(path, "Name a CSV, TSV or JSON-lines file.");
    return { path, ...(await readTextDataset(path, reading)) };
  },
  async processing(options) {
    const { tokenizer, cut, save } = await textProcessing(options);
    const { problemType = "single_label_classification" } = options;
    return {
      dataset: (examples) => tokenizeDataset(examples, tokenizer, cut),
      collate: DataCollatorWithPadding(tokenizer, { problemType }),
      predict: (logits, _example, { config, topK }) => predictionOf(logits, config, topK),
      save,
    };
  },
  async inputs(given, pair, options) {
    const examples = (await Promise.all(given.map((argument) => textsOf(argument, pair, options)))).flat();
    const names = examples.map(({ text, textPair }) => (textPair === undefined ? text : `${text} | ${textPair}`));
    return { names, examples };
  },
});
