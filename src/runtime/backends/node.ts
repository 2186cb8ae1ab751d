import { messageOf } from "../../errors.js";
import { engineError } from "../engine-error.js";
import { ortBackend } from "./ort-backend.js";
import { ortWebBackend } from "./ort-web-backend.js";
import type { BackendLoader, BackendRegistry } from "./types.js";

/** onnxruntime-node with the given execution provider first; what it cannot run falls to the CPU. */
function native(name: "cpu" | "webgpu" | "cuda"): BackendLoader {
  return async ({ threads, profileFolder }) => {
    const ort = await import("onnxruntime-node").catch((error: unknown) => {
      throw engineError(`onnxruntime-node could not be loaded: ${messageOf(error)}`, error);
    });
    return ortBackend(name, ort, { threads, providers: name === "cpu" ? ["cpu"] : [name, "cpu"], profileFolder });
  };
}

/** onnxruntime-web's CPU build: slower than "cpu", the same code as in the browser. */
const wasm: BackendLoader = async (options) => ortWebBackend("wasm", await import("onnxruntime-web"), options);

/** What runs in Node. */
export const backendRegistry: BackendRegistry = {
  loaders: { cpu: native("cpu"), webgpu: native("webgpu"), cuda: native("cuda"), wasm },
  profiling: ["cpu", "webgpu", "cuda"],
};
