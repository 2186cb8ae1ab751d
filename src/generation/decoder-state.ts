import { GraftError } from "../errors.js";
import type { ModelFiles } from "../hub/index.js";
import { causalLMOf, type Decoding, decodingOf, type ModelConfig, type Network, type Runner } from "../models/index.js";
import type { TensorData } from "../tensor-data.js";

/** A model that may generate: a `PreTrainedModel` or a `PeftModel`. */
export interface GenerativeModel {
  readonly network: Network;
  readonly config: ModelConfig;
  /** The files beside its weights, whose generation_config.json has the defaults. */
  readonly files?: ModelFiles | null;
  /** @internal */
  readonly runner: Runner;
}

type Program = Awaited<ReturnType<Runner["statefulProgram"]>>;

/** Prompts of one length, padded on the left. */
export interface Prompts {
  /** Token ids, row by row. */
  readonly inputIds: readonly (readonly number[])[];
  /** 1 for tokens, 0 for padding. */
  readonly attentionMask: readonly (readonly number[])[];
}

/** Scores of the next token of each row. */
export interface NextLogits {
  readonly rows: number;
  readonly vocabSize: number;
  /** [rows, vocabSize] */
  readonly data: Float32Array;
}

const int32 = (shape: readonly number[], data: Int32Array): TensorData<"int32"> => ({ dtype: "int32", shape, data });

const flat = (rows: readonly (readonly number[])[]): TensorData<"int32"> =>
  int32([rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));

/** Numbers the states of a process, so that no two share residents. */
let states = 0;

/** @throws GraftError `unsupported` for a model that is no language model */
export function requireDecoding({ network }: GenerativeModel): Decoding {
  const causalLM = causalLMOf(network);
  if (causalLM) return decodingOf(causalLM);
  throw new GraftError(
    "unsupported",
    `a ${network.className} cannot generate text`,
    "Load a language model with AutoModelForCausalLM.",
  );
}

/**
 * The rows of one call in the engine: their keys and values, kept from step to step. What acts in the model is taken when
 * it begins; a change of adapters afterwards changes nothing here.
 */
export class DecoderState {
  /** Which of the cache's tokens are seen, row by row. */
  private visible: Int32Array;
  /** Tokens in each row, padding aside. */
  private lengths: number[];
  /** Positions of the cache that are written. */
  private written: number;

  private constructor(
    private readonly model: GenerativeModel,
    private readonly decoding: Decoding,
    private readonly next: Program,
    private readonly bind: Readonly<Record<string, string>>,
    private readonly capacity: number,
    { attentionMask }: Prompts,
  ) {
    const { virtualTokens } = decoding;
    this.written = virtualTokens + (attentionMask[0]?.length ?? 0);
    this.visible = new Int32Array(attentionMask.length * capacity);
    for (const [row, mask] of attentionMask.entries()) {
      this.visible.fill(1, row * capacity, row * capacity + virtualTokens);
      this.visible.set(mask, row * capacity + virtualTokens);
    }
    this.lengths = attentionMask.map((mask) => mask.reduce((sum, seen) => sum + seen, 0));
  }

  /**
   * Reads prompts.
   * @param newTokens how many will be read after them at most
   * @returns the state, and the scores of each row's next token
   * @throws GraftError `unsupported`, `aborted`, and what the engine throws
   */
  static async begin(
    model: GenerativeModel,
    prompts: Prompts,
    newTokens: number,
    signal?: AbortSignal,
  ): Promise<{ state: DecoderState; logits: NextLogits }> {
    const decoding = requireDecoding(model);
    // Both with what acts in the model now.
    const [first, next] = await Promise.all([
      model.runner.statefulProgram(decoding.begin),
      model.runner.statefulProgram(decoding.next),
    ]);
    const number = ++states;
    const bind = Object.fromEntries(decoding.slots.map((slot) => [slot, `generation.${number}.${slot}`]));
    const capacity = decoding.virtualTokens + (prompts.inputIds[0]?.length ?? 0) + Math.max(newTokens, 1);
    const state = new DecoderState(model, decoding, next, bind, capacity, prompts);
    const { inputIds, attentionMask } = prompts;
    const feeds = {
      input_ids: flat(inputIds),
      attention_mask: flat(attentionMask),
      visible: int32([inputIds.length, capacity], state.visible),
      ...(decoding.countsTokens && { position_ids: flat(attentionMask.map(positionsIn)) }),
    };
    try {
      const outputs = await first.run(feeds, { bind, ...(signal && { signal }) });
      return { state, logits: state.logitsOf(outputs) };
    } catch (error) {
      await state.dispose();
      throw error;
    }
  }

  /**
   * Reads one more token of each row.
   * @returns the scores of what follows
   */
  async step(tokens: readonly number[], signal?: AbortSignal): Promise<NextLogits> {
    const { decoding, capacity, bind, written } = this;
    const rows = tokens.length;
    const positions = decoding.countsTokens ? this.lengths : this.lengths.map(() => written);
    const feeds = {
      input_ids: int32([rows, 1], Int32Array.from(tokens)),
      position_ids: int32([rows, 1], Int32Array.from(positions)),
      visible: int32([rows, capacity], this.visible),
      ...(decoding.hasWindows && { place: int32([1], Int32Array.of(written)) }),
    };
    const outputs = await this.next.run(feeds, { bind, stateOffset: written, ...(signal && { signal }) });
    for (let row = 0; row < rows; row++) this.visible[row * capacity + written] = 1;
    this.lengths = this.lengths.map((length) => length + 1);
    this.written++;
    return this.logitsOf(outputs);
  }

  /** Has the rows follow others: row i becomes what row indices[i] was. Their number may change. */
  async reorder(indices: readonly number[]): Promise<void> {
    const isSame = indices.length === this.lengths.length && indices.every((index, row) => index === row);
    if (isSame) return;
    const { capacity, visible, lengths } = this;
    const engine = await this.model.runner.engine();
    await engine.reorderResident(Object.values(this.bind), indices);
    this.visible = new Int32Array(indices.length * capacity);
    for (const [row, index] of indices.entries()) {
      this.visible.set(visible.subarray(index * capacity, (index + 1) * capacity), row * capacity);
    }
    this.lengths = indices.map((index) => lengths[index] as number);
  }

  /** Frees what the engine holds. */
  async dispose(): Promise<void> {
    const engine = await this.model.runner.engine();
    if (!engine.hasEnded) await engine.removeResident(Object.values(this.bind));
  }

  private logitsOf({ logits }: Readonly<Record<string, TensorData>>): NextLogits {
    const { shape, data } = logits as TensorData<"float32">;
    return { rows: shape[0] as number, vocabSize: this.decoding.vocabSize, data };
  }
}

/** Positions that count tokens from 0; padding before them is at 0, too. */
function positionsIn(mask: readonly number[]): number[] {
  let count = 0;
  return mask.map((seen) => (seen === 1 ? count++ : 0));
}
