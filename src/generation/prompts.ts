import { GraftError } from "../errors.js";
import type { Decoding, ModelInputs } from "../models/index.js";
import type { Prompts } from "./decoder-state.js";
import type { GenerationConfig } from "./options.js";

/** What a text begins with: `inputIds` [rows, length] and, where rows are padded, `attentionMask`; none of both: a BOS token. */
export interface GenerationInputs {
  readonly inputIds?: ModelInputs[string];
  readonly attentionMask?: ModelInputs[string];
}

const fault = (message: string, hint: string): GraftError => new GraftError("invalid-argument", message, hint);

/** Rows of a tensor or of lists. */
function rowsOf(name: string, value: NonNullable<ModelInputs[string]>): number[][] {
  if (Array.isArray(value)) {
    const rows = (value as readonly unknown[]).every((one) => typeof one === "number") ? [value] : value;
    return (rows as readonly (readonly number[])[]).map((row) => [...row]);
  }
  if (!("shape" in value) || value.shape.length !== 2) {
    throw fault(`${name} has the shape [${"shape" in value ? value.shape : ""}]`, "Give rows of one length.");
  }
  const [rows, length] = value.shape as [number, number];
  const all = Array.from(value.data as ArrayLike<number | bigint>, Number);
  return Array.from({ length: rows }, (_, row) => all.slice(row * length, (row + 1) * length));
}

function requireRows(inputIds: readonly (readonly number[])[], vocabSize: number): void {
  const length = inputIds[0]?.length ?? 0;
  if (inputIds.length === 0 || length === 0) {
    throw fault("there is no token to begin with", "Give a prompt, or a model whose config names bos_token_id.");
  }
  if (inputIds.some((row) => row.length !== length)) {
    throw fault("the prompts have different lengths", "Pad them on the left: tokenizer.paddingSide = 'left'.");
  }
  const odd = inputIds.flat().find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
  if (odd !== undefined) {
    throw new GraftError(
      "invalid-token",
      `the prompt holds the token id ${odd}; the model takes 0 to ${vocabSize - 1} (vocab_size)`,
      "Use the tokenizer that belongs to the model: the one in its folder.",
    );
  }
}

/** Tokens end where the prompt ends; padding may only stand before them. */
function requireLeftPadding(mask: readonly (readonly number[])[], inputIds: readonly (readonly number[])[]): void {
  for (const [row, seen] of mask.entries()) {
    const length = inputIds[row]?.length;
    if (seen.length !== length || mask.length !== inputIds.length || seen.some((one) => one !== 0 && one !== 1)) {
      throw fault("attentionMask does not fit inputIds", "It has inputIds' shape, and 1 for tokens and 0 for padding.");
    }
    if (seen.at(-1) !== 1) {
      throw fault(
        `row ${row} is padded on the right, where the text is to go on`,
        "Pad prompts on the left: tokenizer.paddingSide = 'left'.",
      );
    }
    if (seen.some((one, i) => one === 0 && seen[i - 1] === 1)) {
      throw fault(`row ${row} has padding between its tokens`, "Pad prompts on the left alone.");
    }
  }
}

/** What a call's rows begin with. @throws GraftError `invalid-argument`, `invalid-token` */
export function promptsOf(
  { inputIds: given, attentionMask }: GenerationInputs,
  { bosTokenId, padTokenId }: GenerationConfig,
  { vocabSize }: Decoding,
): Prompts {
  const begin = bosTokenId === null ? [] : [[bosTokenId]];
  const inputIds = given === undefined ? begin : rowsOf("inputIds", given);
  requireRows(inputIds, vocabSize);
  const mask =
    attentionMask === undefined ? inputIds.map((row) => row.map(() => 1)) : rowsOf("attentionMask", attentionMask);
  requireLeftPadding(mask, inputIds);
  const isPadded = mask.some((row) => row.includes(0));
  // What stands at padding is what the result has there.
  const ids = isPadded && padTokenId !== null ? padded(inputIds, mask, padTokenId) : inputIds;
  return { inputIds: ids, attentionMask: mask };
}

const padded = (ids: readonly (readonly number[])[], mask: readonly (readonly number[])[], padTokenId: number) =>
  ids.map((row, r) => row.map((id, i) => (mask[r]?.[i] === 1 ? id : padTokenId)));

/**
 * How many tokens are made at most.
 * @throws GraftError `invalid-argument` for a prompt that fills the context, and for more than the context holds
 */
export function newTokensFor(config: GenerationConfig, { longest, virtualTokens }: Decoding, prompt: number): number {
  // The last token made is never read.
  const room = longest - virtualTokens - prompt + 1;
  const why = virtualTokens > 0 ? `, less ${virtualTokens} virtual tokens` : "";
  if (room < 1) {
    throw fault(
      `the prompt has ${prompt} tokens, and the model reads at most ${longest}${why}`,
      "Shorten the prompt, or take a model with a longer context.",
    );
  }
  const asked = config.maxNewTokens ?? (config.maxLength === undefined ? undefined : config.maxLength - prompt);
  if (asked === undefined) return Math.min(20, room);
  if (asked < 1) {
    throw fault(
      `maxLength is ${config.maxLength}, and the prompt has ${prompt} tokens already`,
      "Give maxNewTokens, which does not count the prompt.",
    );
  }
  if (asked > room) {
    throw fault(
      `${asked} new tokens after a prompt of ${prompt} are more than the model's ${longest} positions${why}`,
      `Ask for at most ${room}.`,
    );
  }
  return asked;
}
