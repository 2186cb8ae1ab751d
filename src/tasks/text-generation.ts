import {
  DataCollatorForLanguageModeling,
  type LanguageExample,
  type LanguageFormat,
  type LanguageRow,
  languageDataset,
  languageFormats,
  type ReadLanguageOptions,
  readLanguageDataset,
  readTextFile,
  type Tokenizer,
} from "../data/index.js";
import { GraftError } from "../errors.js";
import { type DataOptions, defineTask } from "./task.js";
import { requireFormat, requireNoFolder } from "./text-inputs.js";
import { textProcessing, tokenizerSources } from "./tokenizer.js";

function readerOptions({
  format,
  limit,
  textColumn,
  delimiter,
  quoting,
  header,
  onInfo,
}: DataOptions): ReadLanguageOptions {
  requireFormat(format, languageFormats, "texts");
  return {
    ...(format !== undefined && { format: format as LanguageFormat }),
    ...(limit !== undefined && { end: limit }),
    ...(textColumn !== undefined && { textColumn }),
    ...(delimiter !== undefined && { delimiter: delimiter === "\\t" ? "\t" : delimiter }),
    ...(quoting !== undefined && { quoting }),
    ...(header !== undefined && { header }),
    ...(onInfo && { onInfo }),
  };
}

/**
 * A template as a run has it: its text, its name, or a file.
 * @throws GraftError `file-not-found`, and `invalid-argument` for a word that is neither a name nor a template
 */
async function templateOf(
  given: string | undefined,
  { chatTemplates }: Tokenizer,
): Promise<{ readonly chatTemplate?: string }> {
  if (given === undefined) return {};
  if (given.endsWith(".jinja")) return { chatTemplate: await readTextFile(given) };
  if (/\{[{%]/.test(given) || chatTemplates[given] !== undefined) return { chatTemplate: given };
  const names = Object.keys(chatTemplates).join(", ");
  throw new GraftError(
    "invalid-argument",
    `chatTemplate is ${JSON.stringify(given)}, which is no template and not one of the tokenizer's (${names || "it has none"})`,
    "Give a .jinja file, a name, or a template in Jinja.",
    { option: "chatTemplate" },
  );
}

/** The tokens that follow: of texts, of answers, of chats. */
export const textGeneration = defineTask<LanguageExample, LanguageRow>({
  head: "causalLM",
  reads: "texts",
  learns: "tokens",
  processingFiles: tokenizerSources,
  formats: languageFormats,
  problemTypes: ["single_label_classification"],
  adapterDefaults: { task_type: "CAUSAL_LM" },
  columns: [],
  metrics: () => ({ choices: ["perplexity", "token_accuracy"], usual: ["perplexity", "token_accuracy"] }),
  async read(path, options) {
    const reading = readerOptions(options);
    await requireNoFolder(path, "Name a text, JSON, JSON-lines, CSV or TSV file.");
    return { path, ...(await readLanguageDataset(path, reading)), label2id: {}, labels: [] };
  },
  async processing(options) {
    const { tokenizer, cut, save } = await textProcessing(options);
    const { language = {}, network, onInfo } = options;
    const told = new Set<string>();
    // What is said of the tokenizer holds for training and evaluation alike.
    const tell = (line: string) => {
      if (!told.has(line)) onInfo?.(line);
      told.add(line);
    };
    const template = await templateOf(language.chatTemplate, tokenizer);
    const vocabSize = network.inputs.inputIds?.below?.limit;
    return {
      save,
      dataset: (examples, phase) =>
        languageDataset(examples, tokenizer, {
          ...language,
          ...template,
          ...cut,
          vocabSize,
          name: phase,
          onInfo: tell,
        }),
      collate: DataCollatorForLanguageModeling(tokenizer),
      predict: () => {
        throw notPredicted();
      },
    };
  },
  async inputs() {
    throw notPredicted();
  },
});

function notPredicted(): GraftError {
  return new GraftError(
    "unsupported",
    "a language model goes on with a text, which is no prediction of labels",
    "Measure it on texts with graft eval; to let it write, merge the adapter (graft merge) and generate with the merged model.",
  );
}
