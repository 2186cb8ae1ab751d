import { GraftError } from "../../errors.js";
import { ortBackend } from "./ort-backend.js";
import type { BackendLoader, BackendOptions, BackendRegistry } from "./types.js";

/**
 * Threads need shared memory, which pages get only when cross-origin isolated, and a script of onnxruntime-web's own to
 * start from: bundled into the step worker, its threads would load that worker again and wait for ever.
 */
function usableThreads({ threads, wasmPaths }: BackendOptions): number {
  return globalThis.crossOriginIsolated && wasmPaths !== undefined ? threads : 1;
}

const wasm: BackendLoader = async (options) => {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = usableThreads(options);
  if (options.wasmPaths !== undefined) ort.env.wasm.wasmPaths = options.wasmPaths;
  return ortBackend("wasm", ort, { threads: usableThreads(options), providers: ["wasm"] });
};

const webgpu: BackendLoader = async (options) => {
  const ort = await import("onnxruntime-web/webgpu");
  ort.env.wasm.numThreads = usableThreads(options);
  if (options.wasmPaths !== undefined) ort.env.wasm.wasmPaths = options.wasmPaths;
  return ortBackend("webgpu", ort, { threads: usableThreads(options), providers: ["webgpu"] });
};

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
  defaultBackend: "wasm",
  loaders: { wasm, webgpu, cpu: nodeOnly("cpu"), cuda: nodeOnly("cuda") },
  profiling: [],
};
