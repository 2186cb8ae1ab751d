import { type Schedule, warmupFactor } from "./types.js";

/** Falls along half a cosine wave to 0 at the end of the run (Loshchilov & Hutter 2017, without restarts). */
export const cosine: Schedule = (step, length) => {
  const { warmupSteps, trainingSteps } = length;
  const progress = (step - warmupSteps) / Math.max(1, trainingSteps - warmupSteps);
  return warmupFactor(step, length) ?? Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
};
