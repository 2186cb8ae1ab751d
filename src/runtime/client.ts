import { platform } from "#platform";
import { GraftError, messageOf } from "../errors.js";
import { engineError } from "./engine-error.js";
import {
  buffersIn,
  type FromWorker,
  type Method,
  type Params,
  type QuantizeProgress,
  type Result,
  type ToWorker,
} from "./protocol.js";

interface Pending extends Pick<CallOptions, "onProgress"> {
  readonly scope: number;
  resolve(result: Result<Method>): void;
  reject(error: Error): void;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined;
}

function abortedError(reason?: unknown): GraftError {
  return new GraftError("aborted", "the run was aborted", "It stopped because its AbortSignal fired.", {
    cause: reason,
  });
}

function disposedError(): GraftError {
  return new GraftError("aborted", "the engine was disposed", "Make a new one with Engine.create.");
}

/** The main thread's end of the worker: typed calls, one reply each. */
export class WorkerClient {
  private readonly worker;
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private ended: GraftError | undefined;

  constructor(url: URL) {
    this.worker = platform.spawnWorker(url);
    this.worker.onMessage((message) => this.settle(message as FromWorker));
    this.worker.onError((error) => this.end(engineError(`the engine's worker failed: ${messageOf(error)}`, error)));
  }

  /**
   * Asks the worker. The process is kept alive only while an answer is due.
   * An abort drops the request if it has not begun; one that has begun runs to its end, unheard.
   */
  async call<M extends Method>(
    scope: number,
    method: M,
    params: Params<M>,
    options: CallOptions = {},
  ): Promise<Result<M>> {
    const { signal, onProgress } = options;
    if (this.ended !== undefined) throw this.ended;
    if (signal?.aborted) throw abortedError(signal.reason);
    const id = this.nextId++;
    const request = { kind: "request", id, scope, method, params } as ToWorker;
    const answer = new Promise<Result<Method>>((resolve, reject) => {
      this.send(request);
      if (this.pending.size === 0) this.worker.ref();
      this.pending.set(id, { scope, resolve, reject, onProgress });
    });
    const abort = (): void => {
      this.worker.postMessage({ kind: "cancel", id } satisfies ToWorker);
      this.take(id)?.reject(abortedError(signal?.reason));
    };
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return (await answer) as Result<M>;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Whether the worker was ended or has failed: nothing that it held is left. */
  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  /** Drops what waits, lets the run in progress end, frees the sessions and ends the worker. */
  async dispose(): Promise<void> {
    if (this.ended !== undefined) return;
    this.drop(disposedError());
    const closed = this.call(0, "close", undefined);
    this.ended = disposedError();
    await closed.finally(() => this.worker.terminate());
  }

  /** Rejects the requests that wait, of one scope or of all; one that has begun runs to its end, unheard. */
  drop(error: GraftError, scope?: number): void {
    for (const [id, call] of [...this.pending]) {
      if (scope !== undefined && scope !== call.scope) continue;
      this.worker.postMessage({ kind: "cancel", id } satisfies ToWorker);
      this.take(id)?.reject(error);
    }
  }

  private send(request: ToWorker): void {
    try {
      this.worker.postMessage(request, [...buffersIn(request)]);
    } catch (error) {
      throw new GraftError(
        "invalid-argument",
        `the values cannot be handed to the engine: ${messageOf(error)}`,
        "Give plain tensors ({ dtype, shape, data }) whose arrays were not moved elsewhere before.",
        { cause: error },
      );
    }
  }

  private settle(reply: FromWorker): void {
    if ("progress" in reply) {
      this.pending.get(reply.id)?.onProgress?.(reply.progress);
      return;
    }
    const call = this.take(reply.id);
    if (call === undefined) return;
    if ("error" in reply) call.reject(new GraftError(reply.error.code, reply.error.message, reply.error.hint));
    else call.resolve(reply.result);
  }

  private take(id: number): Pending | undefined {
    const call = this.pending.get(id);
    this.pending.delete(id);
    if (this.pending.size === 0) this.worker.unref();
    return call;
  }

  private end(error: GraftError): void {
    this.ended ??= error;
    for (const id of [...this.pending.keys()]) this.take(id)?.reject(error);
  }
}
