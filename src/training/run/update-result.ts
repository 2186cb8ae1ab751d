/** What an update reported. */
export interface UpdateResult {
  /** Mean over all labelled rows of the update. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
  readonly rows: number;
  /** Milliseconds inside ONNX Runtime, and of compiling programs. */
  readonly engineMs: number;
  readonly compileMs: number;
}
