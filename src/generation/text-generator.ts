import type { Tokenizer } from "../data/index.js";
import { GraftError } from "../errors.js";
import type { GenerateControl } from "./control.js";
import type { GenerativeModel } from "./decoder-state.js";
import { generate, generateStream } from "./generate.js";
import type { GenerationOptions } from "./options.js";
import type { GenerationInputs } from "./prompts.js";

/** Options of a call with texts: those of `generate`, and texts at which an answer ends. */
export type TextGenerationOptions = Omit<GenerationOptions, "stopSequences"> &
  Pick<GenerateControl, "signal"> & {
    /** An answer ends where one of these texts stands in it, and is cut off before it. Default: none. */
    readonly stopStrings?: readonly string[];
  };

/** What follows a prompt. */
export interface GeneratedText {
  readonly prompt: string;
  /** The new text, without special tokens. */
  readonly text: string;
  /** The new tokens. */
  readonly tokens: readonly number[];
  /** Where beams found it. */
  readonly score?: number;
}

const refuse = (message: string, hint: string): GraftError => new GraftError("invalid-argument", message, hint);

/** Texts in, texts out: a language model with its tokenizer. */
export class TextGenerator {
  constructor(
    readonly model: GenerativeModel,
    readonly tokenizer: Tokenizer,
  ) {}

  /**
   * What follows each prompt; prompts of one call are one batch.
   * @returns for each prompt as many texts as `numReturnSequences` says, one after the other
   * @throws GraftError as `generate`
   */
  async generate(prompts: readonly string[], options: TextGenerationOptions = {}): Promise<GeneratedText[]> {
    const { stopStrings = [], ...others } = options;
    const rows = this.encode(prompts);
    const { newTokens, sequencesScores } = await generate(this.model, this.batch(rows), {
      ...others,
      ...this.stopping(stopStrings),
    });
    const perPrompt = newTokens.length / prompts.length;
    return newTokens.map((tokens, row) => {
      const place = Math.floor(row / perPrompt);
      return {
        prompt: prompts[place] as string,
        text: cutAt(this.decode(tokens, rows[place] as readonly number[]), stopStrings),
        tokens,
        ...(sequencesScores && { score: sequencesScores[row] as number }),
      };
    });
  }

  /**
   * What follows one prompt, piece by piece: the pieces together are the text that `generate` gives.
   * @throws GraftError as `generateStream`
   */
  async *stream(prompt: string, options: TextGenerationOptions = {}): AsyncGenerator<string> {
    const { stopStrings = [], ...others } = options;
    const made: number[] = [];
    let told = "";
    const rows = this.encode([prompt]);
    const [before = []] = rows;
    const steps = generateStream(this.model, this.batch(rows), { ...others, ...this.stopping(stopStrings) });
    for await (const [token] of steps) {
      if (token === null || token === undefined) continue;
      made.push(token);
      const sure = surePart(this.decode(made, before), stopStrings);
      // A tokenizer may clean up what it has told already: then it is told at the end.
      if (sure.length > told.length && sure.startsWith(told)) {
        yield sure.slice(told.length);
        told = sure;
      }
    }
    const whole = cutAt(this.decode(made, before), stopStrings);
    if (whole.startsWith(told) && whole.length > told.length) yield whole.slice(told.length);
  }

  /** The text of tokens that stand behind others: a tokenizer leaves out the space that a text begins with. */
  private decode(tokens: readonly number[], before: readonly number[] = []): string {
    const textOf = (ids: readonly number[]) => this.tokenizer.decode(ids, { skipSpecialTokens: true });
    return textOf([...before, ...tokens]).slice(textOf(before).length);
  }

  private stopping(stopStrings: readonly string[]) {
    if (stopStrings.some((text) => text === "")) {
      throw refuse("one of stopStrings is empty", "Leave it out: every text would end at once.");
    }
    if (stopStrings.length === 0) return {};
    return {
      stopWhen: (tokens: readonly number[]) => {
        const text = this.decode(tokens);
        return stopStrings.some((stop) => text.includes(stop));
      },
    };
  }

  private encode(prompts: readonly string[]): number[][] {
    return prompts.map((prompt) => Array.from(this.tokenizer.encode(prompt).inputIds));
  }

  /** Rows padded on the left; one empty prompt begins with the model's BOS token. */
  private batch(rows: readonly (readonly number[])[]): GenerationInputs {
    const longest = Math.max(...rows.map((row) => row.length));
    if (rows.length === 1 && longest === 0) return {};
    const empty = rows.findIndex((row) => row.length === 0);
    if (empty >= 0) throw refuse(`prompt ${empty + 1} is empty`, "Give it a text, or generate from it alone.");
    const pad = this.tokenizer.padTokenId ?? 0;
    const missing = rows.map((row) => new Array<number>(longest - row.length));
    return {
      inputIds: rows.map((row, i) => [...(missing[i] as number[]).fill(pad), ...row]),
      attentionMask: rows.map((row, i) => [...(missing[i] as number[]).fill(0), ...row.map(() => 1)]),
    };
  }
}

/** A text up to the first of the stops. */
function cutAt(text: string, stops: readonly string[]): string {
  const places = stops.map((stop) => text.indexOf(stop)).filter((place) => place >= 0);
  return places.length === 0 ? text : text.slice(0, Math.min(...places));
}

/** What further tokens will not change: no half of a character, and nothing that may become a stop. */
function surePart(text: string, stops: readonly string[]): string {
  const whole = cutAt(text, stops).replace(/\ufffd+$/, "");
  let end = whole.length;
  for (const stop of stops) {
    for (let length = Math.min(stop.length - 1, whole.length); length > 0; length--) {
      if (whole.endsWith(stop.slice(0, length))) {
        end = Math.min(end, whole.length - length);
        break;
      }
    }
  }
  return whole.slice(0, end);
}
