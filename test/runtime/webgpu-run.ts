// Prints a few steps of LoRA on backend "webgpu" as JSON: for a test that chooses the process's Vulkan driver.
import { fileURLToPath } from "node:url";
import { tinyRun } from "../browser/tiny-run.js";

const golden = fileURLToPath(new URL("../golden", import.meta.url));
console.log(JSON.stringify(await tinyRun({ golden, backend: "webgpu", threads: 1 })));
