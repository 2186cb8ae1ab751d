// Starts an engine and ends it: for tests that choose the process's options.
import { Engine } from "#graft/runtime/index";

const engine = await Engine.create({ threads: 1 });
console.log("ready", engine.backend);
await engine.dispose();
