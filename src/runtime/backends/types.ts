import type { TensorData } from "../../tensor-data.js";
import type { BackendName, ProgramDefinition } from "../definition.js";

export type Tensors = Readonly<Record<string, TensorData>>;

/** A compiled graph. */
export interface Session {
  /** Inputs of the graph, in no order. */
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** The outputs belong to the caller: their buffers may be changed or moved to another thread. */
  run(feeds: Tensors, fetches: readonly string[]): Promise<Record<string, TensorData>>;
  release(): Promise<void>;
}

/** One way of running graphs. Lives inside the worker. */
export interface Backend {
  readonly name: BackendName;
  readonly threads: number;
  createSession(definition: ProgramDefinition): Promise<Session>;
}

export interface BackendOptions {
  readonly threads: number;
  /** Folder (URL) of onnxruntime-web's .mjs and .wasm files. */
  readonly wasmPaths?: string | undefined;
  /** An existing folder for profiles; given only to backends that write them. */
  readonly profileFolder?: string | undefined;
}

/** Loads a backend's engine; nothing heavy is imported before. */
export type BackendLoader = (options: BackendOptions) => Promise<Backend>;

/** What this world (Node or browser) can run on. */
export interface BackendRegistry {
  readonly loaders: { readonly [B in BackendName]: BackendLoader };
  /** The backends that can write ONNX Runtime's profiles to files. */
  readonly profiling: readonly BackendName[];
}
