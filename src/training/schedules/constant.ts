import { type Schedule, warmupFactor } from "./types.js";

/** The same all along; warm-up steps are ignored, as transformers does. */
export const constant: Schedule = () => 1;

/** The same all along, after the warm-up. */
export const constantWithWarmup: Schedule = (step, length) => warmupFactor(step, length) ?? 1;
