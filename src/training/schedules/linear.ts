import { type Schedule, warmupFactor } from "./types.js";

/** Falls in a straight line to 0 at the end of the run. */
export const linear: Schedule = (step, length) => {
  const { warmupSteps, trainingSteps } = length;
  return warmupFactor(step, length) ?? Math.max(0, (trainingSteps - step) / Math.max(1, trainingSteps - warmupSteps));
};
