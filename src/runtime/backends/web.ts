import { GraftError } from "../../errors.js";
import { ortWebBackend } from "./ort-web-backend.js";
import type { BackendLoader, BackendOptions, BackendRegistry } from "./types.js";

/**
 * Threads need shared memory, which pages get only when cross-origin isolated, and a script of onnxruntime-web's own to
 * start from: bundled into the step worker, its threads would load that worker again and wait for ever.
 */
function usableThreads({ threads, wasmPaths }: BackendOptions): number {
  return globalThis.crossOriginIsolated && wasmPaths !== undefined ? threads : 1;
}

/** Each build of onnxruntime-web is a module of its own, which a bundler must see named. */
const builds = { wasm: () => import("onnxruntime-web/wasm"), webgpu: () => import("onnxruntime-web/webgpu") };

function web(name: keyof typeof builds): BackendLoader {
  return async (options) => ortWebBackend(name, await builds[name](), { ...options, threads: usableThreads(options) });
}

function nodeOnly(name: string): BackendLoader {
  return () => {
    throw new GraftError(
      "unsupported",
      `backend "${name}" runs in Node only`,
      'Use "wasm" or "webgpu" in the browser.',
    );
  };
}

/** What runs in the browser. */
export const backendRegistry: BackendRegistry = {
  loaders: { wasm: web("wasm"), webgpu: web("webgpu"), cpu: nodeOnly("cpu"), cuda: nodeOnly("cuda") },
  profiling: [],
};
