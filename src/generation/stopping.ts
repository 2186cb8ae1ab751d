import type { GenerationConfig } from "./options.js";

/** Says where texts end. */
export class Stopping {
  private readonly eos: ReadonlySet<number>;

  /** @param stopWhen ends a text by its new tokens, besides */
  constructor(
    private readonly config: Pick<GenerationConfig, "eosTokenIds" | "stopSequences">,
    private readonly stopWhen: (newTokens: readonly number[]) => boolean = () => false,
  ) {
    this.eos = new Set(config.eosTokenIds);
  }

  /**
   * Whether a row ends with its last token.
   * @param made how many of its tokens are new: a stop sequence lies in them
   */
  ends(row: readonly number[], made: number): boolean {
    if (this.eos.has(row.at(-1) as number)) return true;
    if (this.stopWhen(row.slice(row.length - made))) return true;
    return this.config.stopSequences.some(
      (sequence) =>
        sequence.length <= made && sequence.every((token, i) => row[row.length - sequence.length + i] === token),
    );
  }
}
