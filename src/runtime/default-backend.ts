import { platform } from "#platform";
import type { BackendName } from "./definition.js";

/** Where programs run if nobody says otherwise. Kept from the backends themselves, which only the worker loads. */
export const defaultBackend: BackendName = platform.name === "node" ? "cpu" : "wasm";
