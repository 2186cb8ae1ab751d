import { constant, constantWithWarmup } from "./constant.js";
import { cosine } from "./cosine.js";
import { linear } from "./linear.js";
import type { Schedule } from "./types.js";

export const scheduleNames = ["linear", "cosine", "constant", "constant_with_warmup"] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** Every learning-rate schedule by transformers' name; a new one is a file and a row here. */
export const schedules: { readonly [K in ScheduleName]: Schedule } = {
  linear,
  cosine,
  constant,
  constant_with_warmup: constantWithWarmup,
};

export type { Schedule, ScheduleLength } from "./types.js";
export { resolvedWarmup } from "./warmup.js";
