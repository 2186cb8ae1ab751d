import { platform } from "#platform";
import { GraftError } from "../errors.js";
import { requireRange } from "../optim/index.js";
import { WorkerClient } from "./client.js";
import { defaultBackend } from "./default-backend.js";
import type { BackendName } from "./definition.js";
import { EngineScope } from "./engine-scope.js";
import type { Counters } from "./protocol.js";
import { ScopeClient } from "./scope-client.js";

export interface EngineOptions {
  /** Default "cpu" in Node, "wasm" in the browser. */
  readonly backend?: BackendName;
  /** Threads of one product. Default: all that the machine runs at once. Results are the same bits for the same number. */
  readonly threads?: number;
  /** The built worker module, where a bundler moved it away from this one. */
  readonly workerUrl?: URL;
  /**
   * Folder (URL, with its last slash) of onnxruntime-web's .mjs and .wasm files. In the browser more than one thread is
   * used only when it is given and the page is cross-origin isolated.
   */
  readonly wasmPaths?: string;
  /**
   * Folder for ONNX Runtime's profiles, made where missing: one file of Chrome's trace format for each program
   * (`training-1_<time>.json`), complete once the program or the engine is disposed. Node's "cpu", "webgpu" and "cuda"
   * only. Default: no profile.
   */
  readonly profileFolder?: string;
}

/** The number of the scope that the engine itself is. */
const ownScope = 0;

/**
 * One worker that runs programs. It is a scope itself; others (`scope`) let several models share it without seeing each
 * other's tensors.
 */
export class Engine extends EngineScope {
  private scopes = ownScope;

  private constructor(
    private readonly worker: WorkerClient,
    backend: BackendName,
    threads: number,
  ) {
    super(new ScopeClient(worker, ownScope), backend, threads);
  }

  /**
   * Starts the worker and loads ONNX Runtime in it.
   * @throws GraftError `invalid-argument` for threads that are no count, `engine` when the backend cannot be loaded,
   * `unsupported` when a bundler moved this module away from the worker's and it is not found, when this world has no such backend or it writes no profiles, `file-access` when the folder of the profiles cannot be made.
   */
  static async create(options: EngineOptions = {}): Promise<Engine> {
    const { backend = defaultBackend, threads = platform.cpuCount(), wasmPaths, profileFolder } = options;
    requireRange(Number.isSafeInteger(threads) && threads >= 1, "threads", threads, "a whole number, one or more");
    const client = new WorkerClient(
      options.workerUrl ?? platform.findWorker(() => new URL("./worker.js", import.meta.url)),
    );
    try {
      const opened = await client.call(ownScope, "open", { backend, threads, wasmPaths, profileFolder });
      return new Engine(client, backend, opened.threads);
    } catch (error) {
      await client.dispose();
      throw error;
    }
  }

  /** Another scope in the same worker. It ends when it is disposed, at the latest with the engine. */
  scope(): EngineScope {
    return new EngineScope(new ScopeClient(this.worker, ++this.scopes), this.backend, this.threads);
  }

  /** Bytes of the resident tensors of all scopes. */
  override async residentBytes(): Promise<number> {
    const { bytes } = await this.client.call("residentBytes", { everywhere: true });
    return bytes;
  }

  /** What was done so far in all scopes, those that have ended among them. */
  override counters(): Promise<Counters> {
    return this.client.call("counters", { everywhere: true });
  }

  /** Rejects what waits (`aborted`), lets the run in progress end, and frees everything, all scopes among it. */
  override dispose(): Promise<void> {
    return this.worker.dispose();
  }
}

export interface ScopeOptions extends EngineOptions {
  /**
   * An engine to share with other models; it goes on when this one's scope is disposed. Default: an engine of its own,
   * made with the other options.
   */
  readonly engine?: Engine | undefined;
}

/**
 * What of some options is about an engine.
 * @throws GraftError `invalid-argument` for options of an engine beside an engine
 */
export function scopeOptions(options: ScopeOptions): ScopeOptions {
  const { engine, backend, threads, workerUrl, wasmPaths, profileFolder } = options;
  const own = { backend, threads, workerUrl, wasmPaths, profileFolder };
  const given = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
  if (engine === undefined) return given;
  if (Object.keys(given).length === 0) return { engine };
  throw new GraftError(
    "invalid-argument",
    `an engine was given together with options for making one: ${Object.keys(given).join(", ")}`,
    "Give them to Engine.create, where the shared engine is made.",
  );
}

/**
 * A place for one model: a scope of the engine that is given, or an engine of its own. Disposing it ends what was made
 * here and nothing else.
 * @throws GraftError `invalid-argument` for options of an engine beside an engine, and as `Engine.create`
 */
export async function openScope(options: ScopeOptions = {}): Promise<EngineScope> {
  const { engine, ...own } = scopeOptions(options);
  return engine ? engine.scope() : Engine.create(own);
}
