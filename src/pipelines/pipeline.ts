import type { ImageSource } from "../data/index.js";
import { GraftError } from "../errors.js";
import { type TextGenerationOptions, TextGenerator } from "../generation/index.js";
import { predictions } from "./classify.js";
import { type AnyModel, type Opened, openModel, openTokenizer, type PipelineOptions } from "./open.js";

/** A class of an input; of a regression, `label` is that of the value. */
export interface ClassificationResult {
  readonly label: string;
  /** Probability, or the value of a regression. */
  readonly score: number;
}

/** The tag of a word. */
export interface TokenClassificationResult {
  readonly entity: string;
  readonly score: number;
  /** Place of the word in its text, from 0. */
  readonly index: number;
  readonly word: string;
}

/** What a language model makes of a prompt. */
export interface TextGenerationResult {
  /** The prompt and what follows it, or the latter alone where `returnFullText` is false. */
  readonly generatedText: string;
}

export interface ClassificationCall {
  /** How many classes, the likeliest first. Default: 1 of texts, 5 of pictures. */
  readonly topK?: number;
}

export interface TokenClassificationCall {
  /** Tags that say nothing. Default ["O"]. */
  readonly ignoreLabels?: readonly string[];
}

export interface TextGenerationCall extends TextGenerationOptions {
  /** Default true. */
  readonly returnFullText?: boolean;
}

/** A model with what it reads, ready to be called. */
export interface Pipeline<Input, Options, Result> {
  /** The results of one input. */
  (input: Input, options?: Options): Promise<Result[]>;
  /** The results of each input. */
  (inputs: readonly Input[], options?: Options): Promise<Result[][]>;
  readonly model: AnyModel;
  /** Ends a model that the pipeline opened; one that was given stays. */
  dispose(): Promise<void>;
}

/** @param run the results of each of some inputs */
function pipelineOf<Input, Options extends object, Result>(
  { model, dispose }: Opened,
  run: (inputs: readonly Input[], options: Partial<Options>) => Promise<Result[][]>,
): Pipeline<Input, Options, Result> {
  const call = async (given: Input | readonly Input[], options: Partial<Options> = {}) => {
    if (Array.isArray(given)) return given.length === 0 ? [] : run(given as readonly Input[], options);
    return (await run([given as Input], options))[0];
  };
  return Object.assign(call, { model, dispose }) as Pipeline<Input, Options, Result>;
}

/** The pipelines by task. */
export interface Pipelines {
  "text-classification": Pipeline<string, ClassificationCall, ClassificationResult>;
  "image-classification": Pipeline<ImageSource, ClassificationCall, ClassificationResult>;
  "token-classification": Pipeline<string, TokenClassificationCall, TokenClassificationResult>;
  "text-generation": Pipeline<string, TextGenerationCall, TextGenerationResult>;
}

export type PipelineTask = keyof Pipelines;

interface Labels {
  readonly labels?: readonly { readonly label: string; readonly probability: number }[];
  readonly value?: number;
  readonly values?: readonly number[];
}

function results(json: Readonly<Record<string, unknown>>, id2label: Readonly<Record<number, string>>) {
  const { labels, value, values } = json as Labels;
  if (labels) return labels.map(({ label, probability }): ClassificationResult => ({ label, score: probability }));
  const all = values ?? [value ?? Number.NaN];
  return all.map((score, id): ClassificationResult => ({ label: id2label[id] ?? `LABEL_${id}`, score }));
}

function classifier<Input>(
  name: "text-classification" | "image-classification",
  opened: Opened,
  { exampleOf, usual }: { exampleOf(input: Input): unknown; readonly usual: number },
) {
  return pipelineOf<Input, ClassificationCall, ClassificationResult>(opened, async (inputs, { topK = usual }) => {
    const found = await predictions(name, opened, inputs.map(exampleOf), topK);
    return found.map(({ json }) => results(json, opened.model.config.id2label));
  });
}

interface Words {
  readonly words: readonly {
    readonly word: string;
    readonly label: string | null;
    readonly probability: number | null;
  }[];
}

type Makers = {
  readonly [T in PipelineTask]: (model: string | AnyModel, options: PipelineOptions) => Promise<Pipelines[T]>;
};

const makers: Makers = {
  "text-classification": async (model, options) =>
    classifier<string>("text-classification", await openModel("sequenceClassification", model, options), {
      exampleOf: (text) => ({ text }),
      usual: 1,
    }),
  "image-classification": async (model, options) =>
    classifier<ImageSource>("image-classification", await openModel("imageClassification", model, options), {
      exampleOf: (image) => ({ image }),
      usual: 5,
    }),
  async "token-classification"(model, options) {
    const opened = await openModel("tokenClassification", model, options);
    return pipelineOf<string, TokenClassificationCall, TokenClassificationResult>(
      opened,
      async (texts, { ignoreLabels = ["O"] }) => {
        const examples = texts.map((text) => ({ words: text.trim().split(/\s+/) }));
        const found = await predictions("token-classification", opened, examples, 1);
        return found.map(({ json }) =>
          (json as unknown as Words).words.flatMap(({ word, label, probability }, index) =>
            label === null || ignoreLabels.includes(label)
              ? []
              : [{ entity: label, score: probability ?? Number.NaN, index, word }],
          ),
        );
      },
    );
  },
  async "text-generation"(model, options) {
    const opened = await openModel("causalLM", model, options);
    const generator = new TextGenerator(opened.model, await openTokenizer(opened));
    return pipelineOf<string, TextGenerationCall, TextGenerationResult>(
      opened,
      async (prompts, { returnFullText = true, ...given }) => {
        const found = await generator.generate(prompts, given);
        const shown = found.map(({ prompt, text }) => ({ generatedText: returnFullText ? prompt + text : text }));
        const each = shown.length / prompts.length;
        return prompts.map((_, row) => shown.slice(row * each, (row + 1) * each));
      },
    );
  },
};

/**
 * A model ready for one kind of work, as transformers.js has it: `const classify = await pipeline("text-classification",
 * folder); await classify("a fine film")` gives [{ label, score }].
 * @param model a loaded model, with or without adapters, or the folder of a model or of an adapter
 * @throws GraftError `invalid-argument` for an unknown task or a model with another head, and as `fromPretrained`
 */
export async function pipeline<T extends PipelineTask>(
  task: T,
  model: string | AnyModel,
  options: PipelineOptions = {},
): Promise<Pipelines[T]> {
  if (Object.hasOwn(makers, task)) return makers[task](model, options);
  throw new GraftError(
    "invalid-argument",
    `${JSON.stringify(task)} is no task of a pipeline`,
    `Tasks: ${Object.keys(makers).join(", ")}.`,
  );
}
