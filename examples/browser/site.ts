import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { bundle, openSite, type Site } from "./server.js";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Bundles and serves the example: the page, the demo's small ViT at /model, ONNX Runtime's WebAssembly at /ort. */
export async function openExample(port?: number): Promise<Site> {
  const files = await bundle({ main: here("./main.ts") });
  files.set("/", await readFile(here("./index.html")));
  const folders = { model: here("../demo/model"), ort: here("../../node_modules/onnxruntime-web/dist") };
  return openSite({ files, folders, ...(port !== undefined && { port }) });
}
