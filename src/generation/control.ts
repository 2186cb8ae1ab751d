/** Options of a call beside those of generation. */
export interface GenerateControl {
  /** Ends the call, which then rejects with `aborted`. */
  readonly signal?: AbortSignal | undefined;
  /** Ends a text by its new tokens, which stay part of it; asked after each of them. Default: never. */
  readonly stopWhen?: ((newTokens: readonly number[]) => boolean) | undefined;
}
