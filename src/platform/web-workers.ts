import { GraftError } from "../errors.js";
import type { WorkerHandle, WorkerPort } from "./types.js";

/** What a dedicated worker's global object offers. */
interface WorkerGlobal {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

/** Bundlers for browsers follow the expression itself, so that what it makes is where the worker is. */
export const findWorker = (beside: () => URL): URL => beside();

/** A Web Worker behind the common interface. */
export function spawnWorker(url: URL): WorkerHandle {
  const worker = new Worker(url, { type: "module" });
  return {
    postMessage: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => {
      worker.addEventListener("message", (event) => listener(event.data));
    },
    onError: (listener) => {
      worker.addEventListener("error", (event) => {
        const message = event.message || `the worker ${url.href} could not be loaded`;
        listener(new GraftError("engine", message, "See the browser's console and network log."));
      });
      worker.addEventListener("messageerror", () => {
        listener(new GraftError("engine", "a worker's message could not be read", "See the browser's console."));
      });
    },
    terminate: async () => worker.terminate(),
    ref: () => {},
    unref: () => {},
  };
}

/** The way back to the page that started this worker. */
export function workerPort(): WorkerPort {
  if ("document" in globalThis || !("postMessage" in globalThis)) {
    throw new GraftError("engine", "this module runs only inside a worker", "Start it with platform.spawnWorker.");
  }
  const scope = globalThis as unknown as WorkerGlobal;
  return {
    postMessage: (message, transfer = []) => scope.postMessage(message, [...transfer]),
    onMessage: (listener) => scope.addEventListener("message", (event) => listener(event.data)),
  };
}
