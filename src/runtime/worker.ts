import { platform } from "#platform";
import { GraftError, messageOf } from "../errors.js";
import { Turn } from "../turn.js";
import { EngineCore } from "./core/engine-core.js";
import {
  buffersIn,
  type FromWorker,
  type Method,
  type Params,
  type PlainError,
  type QuantizeProgress,
  type Result,
  type ToWorker,
} from "./protocol.js";

/**
 * The step worker: takes requests one after the other, in the order in which they came.
 */
const port = platform.workerPort();
const core = new EngineCore();
const waiting = new Set<number>();
const turn = new Turn();

function plainError(error: unknown): PlainError {
  if (error instanceof GraftError) return { code: error.code, message: error.message, hint: error.hint };
  return {
    code: "engine",
    message: error instanceof Error ? (error.stack ?? error.message) : messageOf(error),
    hint: "This is a fault of Graft: please report it with the message.",
  };
}

function handle<M extends Method>(
  { id, scope }: { id: number; scope: number },
  method: M,
  params: Params<M>,
): Result<M> | Promise<Result<M>> {
  const report = (progress: QuantizeProgress): void => port.postMessage({ id, progress } satisfies FromWorker);
  return core.handlers[method](params, scope, report);
}

/**
 * Lets messages that have arrived be heard. A run blocks this thread, so a request and its cancellation may both have
 * come in meanwhile; without a turn of the event loop the request would begin before the cancellation is read.
 */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

async function answer(request: Extract<ToWorker, { kind: "request" }>): Promise<void> {
  await nextTurn();
  // Cancelled while it waited.
  if (!waiting.delete(request.id)) return;
  const { id, method, params } = request;
  try {
    const result = await handle(request, method, params as Params<Method>);
    port.postMessage({ id, result } satisfies FromWorker, [...buffersIn(result)]);
  } catch (error) {
    // A result that cannot be sent is answered, too: nobody else hears of it.
    port.postMessage({ id, error: plainError(error) } satisfies FromWorker);
  }
}

port.onMessage((message) => {
  const request = message as ToWorker;
  if (request.kind === "cancel") {
    waiting.delete(request.id);
    return;
  }
  waiting.add(request.id);
  void turn.take(() => answer(request));
});
