import { GraftError } from "../errors.js";
import type { CallOptions, WorkerClient } from "./client.js";
import type { Method, Params, Result } from "./protocol.js";

/** The worker as one scope sees it. */
export class ScopeClient {
  private isDisposed = false;

  constructor(
    private readonly worker: WorkerClient,
    private readonly scope: number,
  ) {}

  /** @throws GraftError `aborted` once the scope or the worker has ended, and what the worker answers */
  async call<M extends Method>(method: M, params: Params<M>, options: CallOptions = {}): Promise<Result<M>> {
    if (this.isDisposed) throw disposedError();
    return this.worker.call(this.scope, method, params, options);
  }

  /** Whether no call will be answered any more. */
  get hasEnded(): boolean {
    return this.isDisposed || this.worker.hasEnded;
  }

  /** Rejects what waits, lets the run in progress end, and frees what the scope holds in the worker. */
  async dispose(): Promise<void> {
    if (this.hasEnded) return;
    this.isDisposed = true;
    this.worker.drop(disposedError(), this.scope);
    await this.worker.call(this.scope, "disposeScope", undefined).catch((error: unknown) => {
      // The worker ended first, and everything with it.
      if (!this.worker.hasEnded) throw error;
    });
  }
}

function disposedError(): GraftError {
  return new GraftError("aborted", "the engine's scope was disposed", "Make a new one with engine.scope().");
}
