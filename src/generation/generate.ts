import { GraftError } from "../errors.js";
import { BeamSearch } from "./beam-search.js";
import type { GenerateControl } from "./control.js";
import { DecoderState, type GenerativeModel, type Prompts, requireDecoding } from "./decoder-state.js";
import { defaultsOf, type GenerationConfig, type GenerationOptions, settle } from "./options.js";
import { type GenerationInputs, newTokensFor, promptsOf } from "./prompts.js";
import { sampleTokens } from "./sampling.js";

export interface GenerateOutput {
  /** Prompts and what follows them, row by row, padded to one length; several in a row for one prompt where asked for. */
  readonly sequences: readonly (readonly number[])[];
  /** What is new in each of them, without padding: up to the token that ended it, that one included. */
  readonly newTokens: readonly (readonly number[])[];
  /** Scores of sequences that beams found; undefined for other searches. */
  readonly sequencesScores?: readonly number[];
}

interface Plan {
  readonly config: GenerationConfig;
  readonly prompts: Prompts;
  readonly newTokens: number;
}

async function plan(model: GenerativeModel, inputs: GenerationInputs, options: GenerationOptions): Promise<Plan> {
  const decoding = requireDecoding(model);
  const config = settle(options, [await defaultsOf(model.files ?? null, model.config.raw)]);
  const prompts = promptsOf(inputs, config, decoding);
  return { config, prompts, newTokens: newTokensFor(config, decoding, prompts.inputIds[0]?.length ?? 0) };
}

/** Each prompt as often as texts are wanted of it. */
function repeated({ inputIds, attentionMask }: Prompts, count: number): Prompts {
  const repeat = <T>(rows: readonly T[]): T[] => rows.flatMap((row) => Array.from({ length: count }, () => row));
  return { inputIds: repeat(inputIds), attentionMask: repeat(attentionMask) };
}

async function byBeams(model: GenerativeModel, { config, prompts, newTokens }: Plan, control: GenerateControl) {
  if (config.doSample) {
    throw new GraftError(
      "unsupported",
      "doSample is set, and numBeams is more than 1: sampling among beams is not built",
      "Leave doSample out, or set numBeams to 1.",
      { option: "doSample" },
    );
  }
  const { state, logits } = await DecoderState.begin(model, prompts, newTokens, control.signal);
  try {
    return (await new BeamSearch(config, prompts.inputIds, newTokens, control).run(state, logits)).flat();
  } finally {
    await state.dispose();
  }
}

function padTo(rows: readonly (readonly number[])[], padTokenId: number | null): number[][] {
  const length = Math.max(...rows.map((row) => row.length));
  return rows.map((row) => [...row, ...new Array<number>(length - row.length).fill(padTokenId ?? 0)]);
}

/**
 * Lets a language model go on with texts. Defaults are those of the generation_config.json beside the model's weights.
 * @param inputs prompts of one length, padded on the left; none: a BOS token
 * @throws GraftError `unsupported` for a model that is no language model, `invalid-argument` naming the option, for a prompt
 *   that is too long and for padding on the right, `invalid-token`, `aborted`
 */
export async function generate(
  model: GenerativeModel,
  inputs: GenerationInputs = {},
  { signal, stopWhen, ...options }: GenerationOptions & GenerateControl = {},
): Promise<GenerateOutput> {
  const planned = await plan(model, inputs, options);
  const { config, prompts } = planned;
  const begins = prompts.inputIds[0]?.length ?? 0;
  if (config.numBeams > 1) {
    const found = await byBeams(model, planned, { signal, stopWhen });
    const sequences = found.map(({ tokens }) => tokens);
    return {
      sequences: padTo(sequences, config.padTokenId),
      newTokens: sequences.map((tokens) => tokens.slice(begins)),
      sequencesScores: found.map(({ score }) => score),
    };
  }
  const rows = repeated(prompts, config.numReturnSequences).inputIds.map((row) => [...row]);
  const newTokens: number[][] = rows.map(() => []);
  for await (const tokens of steps(model, planned, rows, { signal, stopWhen })) {
    for (const [row, token] of tokens.entries()) if (token !== null) newTokens[row]?.push(token);
  }
  return { sequences: rows, newTokens };
}

/**
 * As `generate`, token by token: each step gives the new token of every row, null for one that has ended. Whoever stops
 * reading ends the generation. Beams cannot be streamed.
 * @throws GraftError as `generate`; `unsupported` for beams
 */
export async function* generateStream(
  model: GenerativeModel,
  inputs: GenerationInputs = {},
  { signal, stopWhen, ...options }: GenerationOptions & GenerateControl = {},
): AsyncGenerator<readonly (number | null)[]> {
  const planned = await plan(model, inputs, options);
  const { config, prompts } = planned;
  if (config.numBeams > 1) {
    throw new GraftError(
      "unsupported",
      `numBeams is ${config.numBeams}: which text is the best shows at the end alone`,
      "Set numBeams to 1 to read tokens as they are made.",
      { option: "numBeams" },
    );
  }
  const rows = repeated(prompts, config.numReturnSequences).inputIds.map((row) => [...row]);
  yield* steps(model, planned, rows, { signal, stopWhen });
}

/** @param rows the prompts, which grow in place */
async function* steps(
  model: GenerativeModel,
  { config, prompts, newTokens }: Plan,
  rows: readonly number[][],
  control: GenerateControl,
): AsyncGenerator<readonly (number | null)[]> {
  const { state, logits } = await DecoderState.begin(
    model,
    repeated(prompts, config.numReturnSequences),
    newTokens,
    control.signal,
  );
  try {
    for await (const { tokens } of sampleTokens(state, logits, rows, newTokens, config, control)) yield tokens;
  } finally {
    await state.dispose();
  }
}
