import {
  type ColumnChoice,
  DataCollatorForTokenClassification,
  type ReadTokenOptions,
  readTokenDataset,
  type TokenExample,
  type TokenFormat,
  type TokenizedWords,
  tokenFormats,
  tokenizeWords,
} from "../data/index.js";
import { GraftError } from "../errors.js";
import type { ModelConfig } from "../models/index.js";
import { argMax, entitiesOf } from "../training/index.js";
import { labelOf, softmax } from "./probabilities.js";
import { type DataOptions, defineTask, type Prediction } from "./task.js";
import { isInputFile, linesOf, requireFormat, requireNoFolder } from "./text-inputs.js";
import { textProcessing, tokenizerSources } from "./tokenizer.js";

const isTagged = (path: string): boolean => /\.(conll|conllu|iob|iob2|bio|bioes|tsv|jsonl|ndjson)$/i.test(path);

/** One column; several mean nothing here. @throws GraftError `invalid-argument` */
function oneColumn(choice: ColumnChoice | undefined, option: string): string | number | undefined {
  if (typeof choice !== "object") return choice;
  const [only] = choice;
  if (choice.length === 1 && only !== undefined) return only;
  throw new GraftError(
    "invalid-argument",
    `${option} names ${choice.length} columns`,
    "Tagged words stand in one column.",
  );
}

function readerOptions({ format, limit, label2id, labelsAre, onInfo, ...columns }: DataOptions): ReadTokenOptions {
  requireFormat(format, tokenFormats, "sentences of tagged words");
  const textColumn = oneColumn(columns.textColumn, "textColumn");
  const labelColumn = oneColumn(columns.labelColumn, "labelColumn");
  return {
    ...(format !== undefined && { format: format as TokenFormat }),
    ...(limit !== undefined && { end: limit }),
    ...(label2id && { label2id }),
    labelsAre,
    ...(onInfo && { onInfo }),
    ...(textColumn !== undefined && { textColumn }),
    ...(labelColumn !== undefined && { labelColumn }),
  };
}

const wordsOf = (text: string): TokenExample => ({ words: text.trim().split(/\s+/) });

/** A sentence as it is, or those of a file: tagged ones (whose tags are left aside), or one sentence a line. */
async function sentencesOf(argument: string, options: DataOptions): Promise<TokenExample[]> {
  const isFile = await isInputFile(argument, isTagged(argument) || /\.txt$/i.test(argument));
  if (!isFile) return [wordsOf(argument)];
  if (isTagged(argument) || options.format !== undefined) {
    return [...(await readTokenDataset(argument, { ...readerOptions(options), labelColumn: null })).examples];
  }
  return (await linesOf(argument)).map(wordsOf);
}

/** A word with its tag; null for a word that was cut off, or that the tokenizer makes no token of. */
interface TaggedWord {
  readonly word: string;
  readonly label: string | null;
  readonly probability: number | null;
}

function tagWords(
  logits: Float32Array,
  { wordIds }: TokenizedWords,
  { words }: TokenExample,
  config: ModelConfig,
  paddingSide: "left" | "right",
): TaggedWord[] {
  const { numLabels } = config;
  const offset = paddingSide === "left" ? logits.length / numLabels - wordIds.length : 0;
  return words.map((word, index) => {
    const token = wordIds.indexOf(index);
    if (token < 0) return { word, label: null, probability: null };
    const own = logits.subarray((offset + token) * numLabels, (offset + token + 1) * numLabels);
    const [best = 0] = argMax({ dtype: "float32", shape: [1, numLabels], data: own });
    return { word, label: labelOf(config, best), probability: softmax(own)[best] as number };
  });
}

function predictionOf(words: readonly TaggedWord[]): Prediction {
  const entities = entitiesOf(words.map(({ label }) => label ?? "O")).map(({ type, start, end }) => ({
    type,
    text: words
      .slice(start, end + 1)
      .map(({ word }) => word)
      .join(" "),
    start,
    end,
  }));
  const shown = (index: number): string => {
    const entity = entities.find(({ start }) => start === index);
    return entity ? `${entity.type}: ${entity.text}` : "";
  };
  return {
    json: { words, entities },
    rows: words.map(({ word, label, probability }, index) => [
      word,
      label ?? "(cut off)",
      probability === null ? "" : { share: probability },
      shown(index),
    ]),
  };
}

/** A tag for each word: names, parts of speech. Entities are what B-, I-, E- and S- tags make of them. */
export const tokenClassification = defineTask<TokenExample, TokenizedWords>({
  head: "tokenClassification",
  reads: "texts",
  processingFiles: tokenizerSources,
  formats: tokenFormats,
  problemTypes: ["single_label_classification"],
  adapterDefaults: { task_type: "TOKEN_CLS" },
  columns: ["word", "tag", "probability", "entity"],
  metrics: () => ({ choices: ["seqeval", "accuracy"], usual: "seqeval" }),
  async read(path, options) {
    const reading = readerOptions(options);
    await requireNoFolder(path, "Name a CoNLL-like file (a word and its tag a line) or a JSON-lines file.");
    return { path, ...(await readTokenDataset(path, reading)) };
  },
  async processing(options) {
    const { tokenizer, cut, save } = await textProcessing(options);
    return {
      dataset: (examples) => tokenizeWords(examples, tokenizer, cut),
      collate: DataCollatorForTokenClassification(tokenizer),
      predict: (logits, example, { config }) => {
        const [row] = tokenizeWords([{ words: example.words }], tokenizer, cut).rows;
        return predictionOf(tagWords(logits, row!, example, config, tokenizer.paddingSide));
      },
      save,
    };
  },
  async inputs(given, _pair, options) {
    const examples = (await Promise.all(given.map((argument) => sentencesOf(argument, options)))).flat();
    return { names: examples.map(({ words }) => words.join(" ")), examples };
  },
});
