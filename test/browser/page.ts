import { tinyRun } from "./tiny-run.js";

// What the test calls from outside the page.
Object.assign(globalThis, { tinyRun });
