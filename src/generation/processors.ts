import type { GenerationConfig } from "./options.js";

/**
 * Changes the scores of the next token in place.
 * @param scores logits, or log probabilities of a beam search: [vocabSize]
 * @param tokens the row so far, prompt included, padding of the prompt included as transformers has it
 * @param made how many of them are new
 */
export type LogitsProcessor = (scores: Float32Array, tokens: readonly number[], made: number) => void;

/** Tokens that were there become less likely (Keskar et al. 2019). */
export const repetitionPenalty =
  (penalty: number): LogitsProcessor =>
  (scores, tokens) => {
    for (const token of new Set(tokens)) {
      const score = scores[token] as number;
      scores[token] = score < 0 ? score * penalty : score / penalty;
    }
  };

/** No n tokens in a row occur twice. */
export const noRepeatNgram =
  (size: number): LogitsProcessor =>
  (scores, tokens) => {
    const start = tokens.length + 1 - size;
    if (start < 0) return;
    for (let at = 0; at + size <= tokens.length; at++) {
      let isSame = true;
      for (let i = 0; i < size - 1 && isSame; i++) isSame = tokens[at + i] === tokens[start + i];
      if (isSame) scores[tokens[at + size - 1] as number] = Number.NEGATIVE_INFINITY;
    }
  };

/** No text ends before it has so many new tokens. */
export const minNewTokens =
  (count: number, eosTokenIds: readonly number[]): LogitsProcessor =>
  (scores, _, made) => {
    if (made < count) for (const token of eosTokenIds) scores[token] = Number.NEGATIVE_INFINITY;
  };

export const temperature =
  (degree: number): LogitsProcessor =>
  (scores) => {
    for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) / degree;
  };

/** Indices by falling score, those left out aside; of equal scores the earlier one first. */
function ranked(scores: Float32Array): Int32Array {
  const order = Int32Array.from(scores, (_, index) => index);
  return order
    .filter((index) => (scores[index] as number) > Number.NEGATIVE_INFINITY)
    .sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
}

/** Only the k likeliest tokens, and those as likely as the last of them. */
export const topK =
  (k: number): LogitsProcessor =>
  (scores) => {
    if (k >= scores.length) return;
    const least = Float32Array.from(scores).sort()[scores.length - k] as number;
    for (let i = 0; i < scores.length; i++) if ((scores[i] as number) < least) scores[i] = Number.NEGATIVE_INFINITY;
  };

/** Probabilities of scores. */
export function softmax(scores: ArrayLike<number>): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < scores.length; i++) most = Math.max(most, scores[i] as number);
  const exponentials = new Float64Array(scores.length);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += exponentials[i] = Math.exp((scores[i] as number) - most);
  for (let i = 0; i < scores.length; i++) exponentials[i] = (exponentials[i] as number) / sum;
  return exponentials;
}

/** Only the likeliest tokens that together have the probability p (Holtzman et al. 2019). */
export const topP =
  (p: number, keep = 1): LogitsProcessor =>
  (scores) => {
    const order = ranked(scores);
    const probabilities = softmax(scores);
    let below = 0;
    for (let rank = order.length - 1; rank >= keep; rank--) {
      const token = order[rank] as number;
      below += probabilities[token] as number;
      if (below > 1 - p) return;
      scores[token] = Number.NEGATIVE_INFINITY;
    }
  };

/** Only tokens at least p times as likely as the likeliest (Nguyen et al. 2024). */
export const minP =
  (p: number, keep = 1): LogitsProcessor =>
  (scores) => {
    const probabilities = softmax(scores);
    const order = ranked(scores);
    const least = p * (probabilities[order[0] as number] as number);
    for (const token of order.subarray(keep)) {
      if ((probabilities[token] as number) < least) scores[token] = Number.NEGATIVE_INFINITY;
    }
  };

/** What a config asks for, in transformers' order. */
export function processorsOf(config: GenerationConfig): LogitsProcessor[] {
  const { doSample, numBeams, eosTokenIds, minP: least } = config;
  // A beam search needs a token beside those that end a text.
  const keep = numBeams > 1 ? Math.max(2, eosTokenIds.length + 1) : 1;
  return [
    ...(config.repetitionPenalty === 1 ? [] : [repetitionPenalty(config.repetitionPenalty)]),
    ...(config.noRepeatNgramSize === 0 ? [] : [noRepeatNgram(config.noRepeatNgramSize)]),
    ...(config.minNewTokens === 0 ? [] : [minNewTokens(config.minNewTokens, eosTokenIds)]),
    ...(doSample
      ? [
          ...(config.temperature === 1 ? [] : [temperature(config.temperature)]),
          ...(config.topK === 0 ? [] : [topK(Math.max(config.topK, keep))]),
          ...(config.topP === 1 ? [] : [topP(config.topP, keep)]),
          ...(least === null ? [] : [minP(least, keep)]),
        ]
      : []),
  ];
}
