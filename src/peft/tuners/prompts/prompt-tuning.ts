import * as z from "zod";
import { GraftError } from "../../../errors.js";
import { gather, initializer, type Tensor } from "../../../graph/index.js";
import { Embedding, normal, prependTokens, type Trace } from "../../../nn/index.js";
import { option } from "../../../options/option-table.js";
import { CounterRng } from "../../../random.js";
import { configClass } from "../../config/config-class.js";
import type { Beginning, Host, Injection, Tuner } from "../../tuner.js";
import { notMergeable } from "./places.js";
import { fittedPrompt, promptFileKey, promptOptions, virtualTokensOf } from "./prompt.js";

const promptTuningOptions = {
  ...promptOptions,
  /** How the vectors begin: N(0, 1) (default), vectors of tokens drawn from the vocabulary, or those of a text. */
  promptTuningInit: option("choice", z.enum(["RANDOM", "SAMPLE_VOCAB", "TEXT"]), "RANDOM", {
    help: "How the vectors begin",
  }),
  /** The text for "TEXT". Default null. */
  promptTuningInitText: option("text", z.string().nullable(), null, {
    help: "The text whose vectors the prompt begins with",
    expected: "null or a text",
  }),
  /** The folder of the tokenizer that cuts the text; needed for "TEXT". Default null. */
  tokenizerNameOrPath: option("text", z.string().nullable(), null, {
    help: "The folder of the tokenizer that cuts that text",
    expected: "null or a folder",
  }),
};

/**
 * How a model is adapted with prompt tuning (Lester et al. 2021): learnt vectors stand before the embedded tokens.
 * Options, meanings and defaults are those of PEFT 0.21's PromptTuningConfig.
 * @throws GraftError `invalid-config`
 */
export class PromptTuningConfig extends configClass({
  peftType: "PROMPT_TUNING",
  options: promptTuningOptions,
  unbuilt: { tokenizer_kwargs: { unset: null, reason: "a tokenizer is opened as its folder says" } },
  check({ promptTuningInit, promptTuningInitText, tokenizerNameOrPath }, where) {
    if (promptTuningInit !== "TEXT") return;
    const given = { promptTuningInitText, tokenizerNameOrPath };
    for (const [name, value] of Object.entries(given)) {
      if (value) continue;
      throw new GraftError(
        "invalid-config",
        `${where}: promptTuningInit is "TEXT", and ${name} is ${JSON.stringify(value)}`,
        "Give both promptTuningInitText and tokenizerNameOrPath.",
        { option: name },
      );
    }
  },
}) {}

/** The ids of the tokens that a fresh prompt begins with; null where it begins at random. */
function initialIds(
  config: PromptTuningConfig,
  count: number,
  vocabSize: number,
  beginning: Beginning,
): number[] | null {
  const each = <T>(make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index));
  if (config.promptTuningInit === "RANDOM") return null;
  if (config.promptTuningInit === "SAMPLE_VOCAB") {
    const random = new CounterRng([beginning.seed]);
    return each(() => Math.floor(random.uniform(0, vocabSize)));
  }
  const initTokenIds = [...(beginning.initTokenIds ?? [])];
  const isId = (id: number) => Number.isInteger(id) && id >= 0 && id < vocabSize;
  if (initTokenIds.length === 0 || !initTokenIds.every(isId)) {
    throw new GraftError(
      "invalid-argument",
      `the prompt begins with the text ${JSON.stringify(config.promptTuningInitText)}, and initTokenIds is [${initTokenIds}]`,
      `Cut the text with the model's tokenizer and give its ids, each below ${vocabSize}: getPeftModel(model, config, { initTokenIds: tokenizer.encode(text).inputIds }).`,
    );
  }
  return each((index) => initTokenIds[index % initTokenIds.length] as number);
}

/** The table of the vectors of tokens. */
function wordEmbeddings({ network, config }: Host): Embedding {
  const tables = [...network.modules()].filter((module) => module instanceof Embedding);
  const { vocabSize } = config as typeof config & { vocabSize?: number };
  const table = tables.find(({ numEmbeddings }) => numEmbeddings === vocabSize);
  if (table) return table;
  throw new GraftError(
    "unsupported",
    `${network.className} has no table of word vectors to begin with`,
    'Begin at random: promptTuningInit: "RANDOM".',
  );
}

/** @returns the vectors of the tokens with those ids, as they are in the base */
function vectorsOf(host: Host, ids: readonly number[]): (trace: Trace) => Tensor {
  const { weight } = wordEmbeddings(host);
  const data = { dtype: "int32", shape: [ids.length], data: Int32Array.from(ids) } as const;
  return (trace) => gather(trace.original(weight), initializer("prompt token ids", data, { kind: "memory", data }));
}

function inject(host: Host, config: PromptTuningConfig): Injection {
  const count = virtualTokensOf(host, config);
  const ids =
    host.beginning && config.promptTuningInit !== "RANDOM"
      ? initialIds(config, count, wordEmbeddings(host).numEmbeddings, host.beginning)
      : null;
  const begins = ids ? { made: vectorsOf(host, ids) } : { initializer: normal(1) };
  const prompt = host.parameter("prompt_embeddings", [count, host.config.hiddenSize], begins);
  host.at(host.network.embeddingSites, "embeddings", {
    signature: `prompt:${count}`,
    addedPositions: count,
    isAtBeginning: true,
    transform: (trace, embedded) => prependTokens(embedded, trace.parameter(prompt)),
  });
  return { targets: [], merge: notMergeable };
}

/** Learnt vectors before the embedded tokens (Lester et al. 2021). */
export const promptTuning: Tuner<PromptTuningConfig> = {
  type: "PROMPT_TUNING",
  name: "prompt-tuning",
  help: "Learnt vectors before the embedded tokens (Lester et al. 2021)",
  Config: PromptTuningConfig,
  fitted: (config, network) => config.with(fittedPrompt(config, network)),
  inject,
  fileKey: promptFileKey,
};
