import { CounterRng } from "../random.js";
import type { GenerateControl } from "./control.js";
import type { DecoderState, NextLogits } from "./decoder-state.js";
import type { GenerationConfig } from "./options.js";
import { type LogitsProcessor, processorsOf, softmax } from "./processors.js";
import { Stopping } from "./stopping.js";

/** A row's place of the likeliest token; of equal ones the first. */
function argMax(scores: Float32Array): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++) if ((scores[i] as number) > (scores[best] as number)) best = i;
  return best;
}

/** A token drawn by its probability. */
function draw(scores: Float32Array, random: CounterRng): number {
  const probabilities = softmax(scores);
  let left = random.uniform();
  let last = 0;
  for (let token = 0; token < probabilities.length; token++) {
    const probability = probabilities[token] as number;
    if (probability === 0) continue;
    last = token;
    left -= probability;
    if (left < 0) return token;
  }
  return last;
}

/** The scores of one row, as processors leave them. */
function processed(
  logits: NextLogits,
  row: number,
  processors: readonly LogitsProcessor[],
  tokens: number[],
  made: number,
) {
  const { vocabSize, data } = logits;
  const scores = data.subarray(row * vocabSize, (row + 1) * vocabSize);
  for (const process of processors) process(scores, tokens, made);
  return scores;
}

/** One step of all rows. */
export interface StepTokens {
  /** The new token of each row; null for a row that had ended. */
  readonly tokens: readonly (number | null)[];
}

/**
 * Greedy search or sampling: the likeliest token of each row, or one drawn by its probability.
 * @param rows the prompts, which grow in place; a row that has ended is filled with the padding token
 * @param newTokens most new tokens of a row
 */
export async function* sampleTokens(
  state: DecoderState,
  first: NextLogits,
  rows: readonly number[][],
  newTokens: number,
  config: GenerationConfig,
  { signal, stopWhen }: GenerateControl,
): AsyncGenerator<StepTokens> {
  const processors = processorsOf(config);
  const stopping = new Stopping(config, stopWhen);
  const hasEnded = rows.map(() => false);
  let logits = first;
  for (let made = 0; ; ) {
    const tokens = rows.map((row, index) => {
      if (hasEnded[index]) return null;
      const scores = processed(logits, index, processors, row, made);
      return config.doSample ? draw(scores, new CounterRng([config.seed, index, made])) : argMax(scores);
    });
    for (const [index, token] of tokens.entries()) {
      const row = rows[index] as number[];
      row.push(token ?? config.padTokenId ?? 0);
      if (token !== null && stopping.ends(row, made + 1)) hasEnded[index] = true;
    }
    made++;
    yield { tokens };
    if (made === newTokens || hasEnded.every(Boolean)) return;
    logits = await state.step(
      rows.map((row) => row.at(-1) as number),
      signal,
    );
  }
}
