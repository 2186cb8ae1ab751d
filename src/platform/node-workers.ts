import { existsSync, readFileSync } from "node:fs";
import * as modules from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parentPort, Worker } from "node:worker_threads";
import { GraftError } from "../errors.js";
import type { WorkerHandle, WorkerPort } from "./types.js";

/**
 * ONNX Runtime walks a graph by recursion when it makes a session: ViT-B's int8 training step takes more than 5 MiB of stack
 * (24 layers about twice as much), and a worker has 4 unless told otherwise. Only what is used becomes memory.
 */
const STACK_MIB = 64;

/** Whether the files that a module imports by relative names are there: webpack copies the worker's without them. */
function isWhole(path: string): boolean {
  if (!existsSync(path)) return false;
  // Sources have the names of what they are built to.
  if (path.endsWith(".ts")) return true;
  const imports = [...readFileSync(path, "utf8").matchAll(/^import\b[^"';]*["'](\.[^"']*)["']/gm)];
  return imports.every(([, name = ""]) => existsSync(join(dirname(path), name)));
}

/** In CommonJS that a bundler wrote there is no `import.meta.url`. */
function besideModule(beside: () => URL): URL | undefined {
  try {
    const url = beside();
    return url.protocol !== "file:" || isWhole(fileURLToPath(url)) ? url : undefined;
  } catch {
    return undefined;
  }
}

/** The worker of the package as it is installed for the program that runs, or for the current folder. */
function installedWorker(): URL | undefined {
  for (const from of [process.argv[1], join(process.cwd(), "package.json")]) {
    if (from === undefined) continue;
    try {
      // By a namespace: webpack takes calls of an imported createRequire for its own.
      return pathToFileURL(modules.createRequire(from).resolve("graft-peft/worker"));
    } catch {
      // Not installed there.
    }
  }
  return undefined;
}

export function findWorker(beside: () => URL): URL {
  const found = besideModule(beside) ?? installedWorker();
  if (found) return found;
  throw new GraftError(
    "unsupported",
    "the worker's module, worker.js, is not beside this one: a bundler took them apart",
    'Bundle "graft-peft/worker" as a file of its own and give its URL as workerUrl (fromPretrained, PeftModel, Engine), ' +
      "or leave graft-peft out of the bundle (external) and install it beside.",
  );
}

/** A worker thread behind the common interface. */
export function spawnWorker(url: URL): WorkerHandle {
  // ONNX Runtime's native part otherwise sends telemetry and writes a log of that to /tmp. It reads the variable of the
  // process, of which a worker's own process.env is a copy: so it is set here, before the worker loads it.
  process.env.ORT_DISABLE_TELEMETRY ??= "1";
  // `node --input-type=module -e "..."` is how the program was given, and would forbid a module file here. Otherwise Node's
  // options are inherited: named, V8's own among them (--max-old-space-size) would be refused.
  const isTyped = process.execArgv.some((option) => option.startsWith("--input-type"));
  const worker = new Worker(url, {
    ...(isTyped && { execArgv: [] }),
    resourceLimits: { stackSizeMb: STACK_MIB },
  });
  let ended = false;
  return {
    postMessage: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    onMessage: (listener) => {
      worker.on("message", listener);
    },
    onError: (listener) => {
      worker.on("error", (error: Error) => {
        if (!ended) listener(error);
        ended = true;
      });
      worker.on("messageerror", (error: Error) => listener(error));
      worker.on("exit", (status) => {
        if (!ended && status !== 0) {
          listener(
            new GraftError("engine", `the worker ended with status ${status}`, "See what it printed before it ended."),
          );
        }
        ended = true;
      });
    },
    terminate: async () => {
      ended = true;
      await worker.terminate();
    },
    ref: () => worker.ref(),
    unref: () => worker.unref(),
  };
}

/** The way back to the thread that started this worker. */
export function workerPort(): WorkerPort {
  const port = parentPort;
  if (!port) {
    throw new GraftError("engine", "this module runs only inside a worker", "Start it with platform.spawnWorker.");
  }
  return {
    postMessage: (message, transfer = []) => port.postMessage(message, [...transfer]),
    onMessage: (listener) => {
      port.on("message", listener);
    },
  };
}
