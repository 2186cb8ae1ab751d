import { GraftError } from "../../errors.js";
import { ortBackend } from "./ort-backend.js";
import type { BackendLoader, BackendRegistry } from "./types.js";

/** Threads need shared memory, which pages get only when cross-origin isolated. */
function usableThreads(threads: number): number {
  return globalThis.crossOriginIsolated ? threads : 1;
}

const wasm: BackendLoader = async ({ threads, wasmPaths }) => {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = usableThreads(threads);
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  return ortBackend("wasm", ort, usableThreads(threads), ["wasm"]);
};

const webgpu: BackendLoader = async ({ threads, wasmPaths }) => {
  const ort = await import("onnxruntime-web/webgpu");
  ort.env.wasm.numThreads = usableThreads(threads);
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  return ortBackend("webgpu", ort, usableThreads(threads), ["webgpu"]);
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
};
