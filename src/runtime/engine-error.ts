import { GraftError } from "../errors.js";

/** What to do about messages of ONNX Runtime that users can meet; the first that matches counts. */
const hints: readonly (readonly [RegExp, string])[] = [
  [
    /escapes model directory|symlink|symbolic link/i,
    "Weight files must lie in the program's external folder itself: resolve links (as in the Hub's cache) to the real path first.",
  ],
  [
    /external|mmap|No such file|file_size/i,
    "The weight file must lie in the program's external folder and be as long as its header says; download it again if it is cut off.",
  ],
  [
    /bad_alloc|allocate|out of memory|array buffer allocation/i,
    "The machine is out of memory: take a smaller batch (with more gradient accumulation) or shorter sequences.",
  ],
  [
    /\[wasm\]|magic word|Failed to fetch dynamically imported/i,
    "ONNX Runtime's .mjs and .wasm files (node_modules/onnxruntime-web/dist) could not be loaded: serve them beside the scripts, or give the URL of their folder, with its last slash, as wasmPaths.",
  ],
  [
    /Cannot use import statement|Cannot find module|ERR_MODULE_NOT_FOUND/i,
    'The worker\'s module could not be loaded, as where a bundler took it apart: bundle "graft-peft/worker" as a file of its own and give its URL as workerUrl.',
  ],
  [
    /libonnxruntime_providers|shared library|cuda/i,
    'CUDA needs the GPU libraries of onnxruntime-node and a matching driver. Use backend "cpu" otherwise.',
  ],
  [
    /Failed to get (a WebGPU|GPU) adapter|WebGPU is not supported/i,
    'This machine offers no usable WebGPU adapter. Use backend "cpu" (Node) or "wasm" (browser).',
  ],
];

/** ONNX Runtime's own error as a GraftError. */
export function engineError(message: string, cause?: unknown): GraftError {
  const hint = hints.find(([pattern]) => pattern.test(message))?.[1];
  return new GraftError(
    "engine",
    message.trim(),
    hint ?? "ONNX Runtime refused the graph or the values fed to it; the message names the operator.",
    { cause },
  );
}
