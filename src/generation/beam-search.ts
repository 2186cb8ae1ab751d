import type { GenerateControl } from "./control.js";
import type { DecoderState, NextLogits } from "./decoder-state.js";
import type { GenerationConfig } from "./options.js";
import { type LogitsProcessor, processorsOf } from "./processors.js";
import { Stopping } from "./stopping.js";

/** Added to the score of what must not be chosen, as transformers does it. */
const OUT = -1e9;

/** A text on its way. */
interface Beam {
  /** Prompt and new tokens. */
  readonly tokens: readonly number[];
  readonly score: number;
}

/** A continuation of one of a prompt's beams. */
interface Continuation extends Beam {
  /** The beam that it goes on from. */
  readonly from: number;
  readonly ends: boolean;
}

/** What is known of one prompt. */
interface Search {
  running: readonly Beam[];
  finished: readonly (Beam & { readonly isFinished: boolean })[];
  /** Whether a running beam may still become better than those that are finished. */
  canImprove: boolean;
}

/** A text that a search found. */
export interface FoundSequence {
  readonly tokens: readonly number[];
  /** Sum of its tokens' log probabilities over their number to the power of lengthPenalty. */
  readonly score: number;
}

/** The best of a list by score, best first; of equal ones the earlier first. */
function best<T extends { readonly score: number }>(list: readonly T[], count: number): T[] {
  return list
    .map((item, place) => ({ item, place }))
    .sort((a, b) => b.item.score - a.item.score || a.place - b.place)
    .slice(0, count)
    .map(({ item }) => item);
}

/** Logarithms of the probabilities of one row, processed. */
function logProbabilities(
  { data, vocabSize }: NextLogits,
  row: number,
  processors: readonly LogitsProcessor[],
  tokens: readonly number[],
  made: number,
): Float32Array {
  const scores = data.slice(row * vocabSize, (row + 1) * vocabSize);
  const most = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
  const shift = most + Math.log(sum);
  for (let i = 0; i < scores.length; i++) scores[i] = (scores[i] as number) - shift;
  for (const process of processors) process(scores, tokens, made);
  return scores;
}

/** The places of the `count` largest sums over all beams of a prompt. */
function topContinuations(scores: readonly Float32Array[], running: readonly Beam[], count: number) {
  const kept: { score: number; from: number; token: number }[] = [];
  for (const [from, row] of scores.entries()) {
    const base = running[from]?.score as number;
    for (let token = 0; token < row.length; token++) {
      const score = Math.fround(base + (row[token] as number));
      if (kept.length === count && score <= (kept.at(-1)?.score as number)) continue;
      let place = kept.length;
      while (place > 0 && (kept[place - 1]?.score as number) < score) place--;
      kept.splice(place, 0, { score, from, token });
      if (kept.length > count) kept.pop();
    }
  }
  return kept;
}

/** Beam search with transformers' rules for what is kept, what is finished and when it ends. */
export class BeamSearch {
  private readonly processors: readonly LogitsProcessor[];
  private readonly stopping: Stopping;
  private readonly searches: Search[];
  private readonly candidates: number;

  /**
   * @param prompts one row each
   * @param newTokens most new tokens
   */
  constructor(
    private readonly config: GenerationConfig,
    prompts: readonly (readonly number[])[],
    private readonly newTokens: number,
    private readonly control: GenerateControl,
  ) {
    const { numBeams, eosTokenIds } = config;
    this.processors = processorsOf(config);
    this.stopping = new Stopping(config, control.stopWhen);
    this.candidates = Math.max(2, 1 + eosTokenIds.length) * numBeams;
    this.searches = prompts.map((tokens) => ({
      // Of equal beams only the first goes on.
      running: Array.from({ length: numBeams }, (_, beam) => ({ tokens, score: beam === 0 ? 0 : OUT })),
      finished: Array.from({ length: numBeams }, () => ({ tokens, score: OUT, isFinished: false })),
      canImprove: true,
    }));
  }

  /** @param first scores after the prompts, one row each */
  async run(state: DecoderState, first: NextLogits): Promise<FoundSequence[][]> {
    const { numBeams, numReturnSequences } = this.config;
    const expanded = this.searches.flatMap((_, prompt) => Array.from({ length: numBeams }, () => prompt));
    await state.reorder(expanded);
    let logits = expand(first, expanded);
    for (let made = 0; made < this.newTokens; ) {
      const from: number[] = [];
      let goesOn = false;
      for (const [prompt, search] of this.searches.entries()) {
        const rows = search.running.map((_, beam) => prompt * numBeams + beam);
        const step = this.advance(search, logits, rows, made);
        from.push(...step.map((beam) => prompt * numBeams + beam.from));
        if (step.some(({ ends }) => !ends)) goesOn = true;
      }
      made++;
      for (const search of this.searches) search.canImprove &&= this.mayImprove(search, made);
      if (made === this.newTokens || !goesOn || !this.isUnfinished()) break;
      await state.reorder(from);
      const tokens = this.searches.flatMap(({ running }) => running.map((beam) => beam.tokens.at(-1) as number));
      logits = await state.step(tokens, this.control.signal);
    }
    return this.searches.map(({ finished }) => finished.slice(0, numReturnSequences));
  }

  /** One step of one prompt. @returns the beams that go on */
  private advance(search: Search, logits: NextLogits, rows: readonly number[], made: number): Continuation[] {
    const { numBeams } = this.config;
    const scores = search.running.map(({ tokens }, beam) =>
      logProbabilities(logits, rows[beam] as number, this.processors, tokens, made),
    );
    const top = topContinuations(scores, search.running, this.candidates).map(
      ({ score, from, token }): Continuation => {
        const tokens = [...(search.running[from]?.tokens ?? []), token];
        return { tokens, score, from, ends: this.stopping.ends(tokens, made + 1) || made + 1 === this.newTokens };
      },
    );
    const running = best(
      top.map((one) => (one.ends ? { ...one, score: one.score + OUT } : one)),
      numBeams,
    );
    this.finish(search, top, made + 1);
    search.running = running;
    return running;
  }

  /** Takes what has ended among the best into what is finished. */
  private finish(search: Search, top: readonly Continuation[], length: number): void {
    const { numBeams, lengthPenalty, earlyStopping } = this.config;
    const isFull = earlyStopping === true && search.finished.every(({ isFinished }) => isFinished);
    const ended = top.map(({ tokens, score, ends }, place) => {
      const isFinished = ends && place < numBeams;
      const out = (isFull ? OUT : 0) + (search.canImprove ? 0 : OUT) + (isFinished ? 0 : OUT);
      return { tokens, score: score / length ** lengthPenalty + out, isFinished };
    });
    search.finished = best([...search.finished, ...ended], numBeams);
  }

  private mayImprove({ running, finished }: Search, made: number): boolean {
    const { earlyStopping, lengthPenalty } = this.config;
    const length = earlyStopping === "never" && lengthPenalty > 0 ? this.newTokens : made;
    const possible = (running[0]?.score as number) / length ** lengthPenalty;
    const worst = Math.min(...finished.map(({ score }) => score));
    return finished.some(({ isFinished }) => possible > (isFinished ? worst : OUT));
  }

  private isUnfinished(): boolean {
    const { earlyStopping } = this.config;
    const isAllFinished = this.searches.every(({ finished }) => finished.every(({ isFinished }) => isFinished));
    return this.searches.some(({ canImprove }) => canImprove) && !(earlyStopping === true && isAllFinished);
  }
}

/** Rows of scores in another order, some more than once. */
function expand({ vocabSize, data }: NextLogits, rows: readonly number[]): NextLogits {
  const expanded = new Float32Array(rows.length * vocabSize);
  for (const [row, from] of rows.entries()) {
    expanded.set(data.subarray(from * vocabSize, (from + 1) * vocabSize), row * vocabSize);
  }
  return { rows: rows.length, vocabSize, data: expanded };
}
