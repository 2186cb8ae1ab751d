import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle, openSite, type Site } from "../../examples/browser/server.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const ort = join(root, "node_modules/onnxruntime-web/dist");
const golden = join(root, "test/golden");

/** Serves the tests' page, ONNX Runtime's files and the golden folders, these also as `whole`, without byte ranges. */
export async function openTestSite(): Promise<Site> {
  const files = await bundle({ page: join(root, "test/browser/page.ts") });
  files.set(
    "/",
    new TextEncoder().encode('<!doctype html><title>Graft</title><script type="module" src="/page.js"></script>'),
  );
  // Without wasmPaths, ONNX Runtime looks for its WebAssembly beside the script that it was bundled into.
  const wasm = "ort-wasm-simd-threaded.wasm";
  files.set(`/${wasm}`, await readFile(join(ort, wasm)));
  return openSite({ files, folders: { ort, golden, whole: golden }, withoutRanges: ["whole"] });
}
