import { platform } from "graft-peft";
import { pixelsOf } from "./decoding.js";
import { tinyRun } from "./tiny-run.js";
import { trainerRun } from "./trainer-run.js";

// What the tests call from outside the page.
Object.assign(globalThis, { platform, pixelsOf, tinyRun, trainerRun });
