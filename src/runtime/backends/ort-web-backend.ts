import type { BackendName } from "../definition.js";
import { type OrtModule, ortBackend } from "./ort-backend.js";
import type { Backend, BackendOptions } from "./types.js";

/** What the builds of onnxruntime-web have in common. */
interface OrtWebModule extends OrtModule {
  readonly env: { readonly wasm: { numThreads?: number; wasmPaths?: unknown } };
}

/** A backend of onnxruntime-web, whose provider has the backend's name. */
export function ortWebBackend(name: BackendName, ort: OrtWebModule, options: BackendOptions): Backend {
  const { threads, wasmPaths } = options;
  ort.env.wasm.numThreads = threads;
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  return ortBackend(name, ort, { threads, providers: [name] });
}
