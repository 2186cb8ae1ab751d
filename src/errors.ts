/** What went wrong, as a stable word that programs can test for. */
export type GraftErrorCode =
  | "invalid-argument"
  | "invalid-config"
  | "unsupported"
  | "file-not-found"
  | "file-access"
  | "disk-full"
  | "invalid-json"
  | "invalid-yaml"
  | "invalid-csv"
  | "invalid-safetensors"
  | "pickle-refused"
  | "invalid-pickle"
  | "lfs-pointer"
  | "invalid-image"
  | "invalid-tokenizer"
  | "shape-mismatch"
  | "dtype-mismatch"
  | "missing-tensor"
  | "target-modules-not-found"
  | "adapter-mismatch"
  | "invalid-label"
  | "invalid-token"
  | "empty-dataset"
  | "invalid-dataset"
  | "hub-access"
  | "hub-unreachable"
  | "not-finite"
  | "aborted"
  | "engine";

/**
 * Every error that a user can cause: `message` says what happened (with the values), `hint` how to fix it.
 * The command line prints both and exits with status 1; nothing is left half-written.
 */
export class GraftError extends Error {
  override readonly name = "GraftError";
  /** The option that the error is about, as the library calls it ("learningRate"); undefined where it is about none. */
  readonly option: string | undefined;

  constructor(
    readonly code: GraftErrorCode,
    message: string,
    readonly hint: string,
    options: { cause?: unknown; option?: string } = {},
  ) {
    super(message, options);
    this.option = options.option;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
