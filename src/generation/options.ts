import * as z from "zod";
import { type CamelKeys, camelCase, snakeCase } from "../case.js";
import { checked } from "../checked.js";
import { GraftError } from "../errors.js";
import type { ModelFiles } from "../hub/index.js";

const id = z.int().min(0);
const ids = z.union([id, z.array(id)]);
const share = z.number().min(0).max(1);

/** Keys of generation_config.json that Graft knows; what is null or missing has transformers' default. */
const schema = z.object({
  max_new_tokens: z.int().min(1).nullish(),
  max_length: z.int().min(1).nullish(),
  min_new_tokens: z.int().min(0).nullish(),
  do_sample: z.boolean().nullish(),
  temperature: z.number().gt(0).nullish(),
  top_k: z.int().min(0).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  min_p: share.nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  no_repeat_ngram_size: z.int().min(0).nullish(),
  num_beams: z.int().min(1).nullish(),
  num_return_sequences: z.int().min(1).nullish(),
  length_penalty: z.number().nullish(),
  early_stopping: z.union([z.boolean(), z.literal("never")]).nullish(),
  eos_token_id: ids.nullish(),
  pad_token_id: id.nullish(),
  bos_token_id: id.nullish(),
});

type Given = z.output<typeof schema>;

/** How text is generated; names, meanings and defaults are those of transformers' GenerationConfig. */
export type GenerationOptions = { readonly [K in keyof CamelKeys<Given>]: CamelKeys<Given>[K] } & {
  /** Decides what sampling draws: the same seed, prompts and options give the same tokens. Default 0. */
  readonly seed?: number;
  /** Token sequences at which a text ends, as at an EOS token; they stay part of it. Default: none. */
  readonly stopSequences?: readonly (readonly number[])[];
};

/** Options with every value settled. */
export interface GenerationConfig {
  /** undefined: not said, so that the model's context may cut the default of 20. */
  readonly maxNewTokens: number | undefined;
  /** Of prompt and new tokens together; goes behind maxNewTokens. */
  readonly maxLength: number | undefined;
  readonly minNewTokens: number;
  readonly doSample: boolean;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number | null;
  readonly repetitionPenalty: number;
  readonly noRepeatNgramSize: number;
  readonly numBeams: number;
  readonly numReturnSequences: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | "never";
  readonly eosTokenIds: readonly number[];
  /** null: there is none, and rows that end early cannot be told from others. */
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly seed: number;
  readonly stopSequences: readonly (readonly number[])[];
}

const hint = "Names and values are those of transformers' generation_config.json.";

function refuse(message: string, why: string, option: string): never {
  throw new GraftError("invalid-argument", message, why, { option });
}

/** Options as JSON has them, those that are given. */
function rawOf(options: Omit<GenerationOptions, "seed" | "stopSequences">): Record<string, unknown> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  const unknown = entries.map(([key]) => key).find((key) => !(snakeCase(key) in schema.shape));
  if (unknown !== undefined) {
    const known = Object.keys(schema.shape).map(camelCase).join(", ");
    refuse(`${unknown} is no option of generation`, `Options: ${known}, seed, stopSequences.`, unknown);
  }
  return Object.fromEntries(entries.map(([key, value]) => [snakeCase(key), value]));
}

const listOf = (given: number | readonly number[] | null | undefined): number[] =>
  given === null || given === undefined ? [] : typeof given === "number" ? [given] : [...given];

function checkTogether(config: GenerationConfig): void {
  const { numReturnSequences, numBeams, doSample, stopSequences } = config;
  if (numBeams > 1 && numReturnSequences > numBeams) {
    refuse(
      `numReturnSequences is ${numReturnSequences}, and there are ${numBeams} beams`,
      "Search with as many beams as texts are wanted, or more.",
      "numReturnSequences",
    );
  }
  if (numBeams === 1 && numReturnSequences > 1 && !doSample) {
    refuse(
      `numReturnSequences is ${numReturnSequences}, and a greedy search finds one text`,
      "Set doSample, or numBeams.",
      "numReturnSequences",
    );
  }
  if (stopSequences.some((sequence) => sequence.length === 0)) {
    refuse("one of stopSequences is empty", "Leave it out: every text would end at once.", "stopSequences");
  }
}

/**
 * Options over the content of a generation_config.json over the model's own config, every value settled.
 * @param raw of the files, the first one first
 * @throws GraftError `invalid-argument` naming the option, `invalid-config` for a file's value
 */
export function settle(
  options: GenerationOptions,
  raw: readonly (readonly [what: string, content: Readonly<Record<string, unknown>>])[],
): GenerationConfig {
  const { seed = 0, stopSequences = [], ...own } = options;
  const layers = raw.map(([what, content]) => checked(schema, content, `${what} cannot be used`, hint));
  const given = checkedOptions(rawOf(own));
  const value = <K extends keyof Given>(key: K): Given[K] | undefined => {
    const found = [given, ...layers].find((layer) => layer[key] !== undefined && layer[key] !== null);
    return found?.[key];
  };
  const eosTokenIds = listOf(value("eos_token_id"));
  const config: GenerationConfig = {
    maxNewTokens: value("max_new_tokens") ?? undefined,
    maxLength: value("max_length") ?? undefined,
    minNewTokens: value("min_new_tokens") ?? 0,
    doSample: value("do_sample") ?? false,
    temperature: value("temperature") ?? 1,
    topK: value("top_k") ?? 50,
    topP: value("top_p") ?? 1,
    minP: value("min_p") ?? null,
    repetitionPenalty: value("repetition_penalty") ?? 1,
    noRepeatNgramSize: value("no_repeat_ngram_size") ?? 0,
    numBeams: value("num_beams") ?? 1,
    numReturnSequences: value("num_return_sequences") ?? 1,
    lengthPenalty: value("length_penalty") ?? 1,
    earlyStopping: value("early_stopping") ?? false,
    eosTokenIds,
    padTokenId: value("pad_token_id") ?? eosTokenIds[0] ?? null,
    bosTokenId: value("bos_token_id") ?? null,
    seed,
    stopSequences,
  };
  checkTogether(config);
  return config;
}

/** @throws GraftError `invalid-argument` */
function checkedOptions(raw: Record<string, unknown>): Given {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const option = camelCase(String(issue?.path[0] ?? ""));
  return refuse(`${option}: ${issue?.message}`, hint, option);
}

type Content = readonly [what: string, content: Readonly<Record<string, unknown>>];

/** Of a model's own config, what generation needs. */
const fromModel = ["eos_token_id", "pad_token_id", "bos_token_id"] as const;

/**
 * The defaults of a model: those of the generation_config.json beside its weights or, without one, what its config says of tokens.
 * @throws GraftError `invalid-json`, `lfs-pointer`
 */
export async function defaultsOf(
  files: ModelFiles | null,
  config: Readonly<Record<string, unknown>>,
): Promise<Content> {
  if (files && (await files.has("generation_config.json"))) {
    const content = await files.json("generation_config.json", "the defaults of generation");
    return [files.place("generation_config.json"), content];
  }
  const entries = fromModel.map((key) => [key, config[key]]);
  return ["the model's config", Object.fromEntries(entries)];
}
