/** Warm-up in updates: `warmupSteps` as it is from 1 up, below that a share of the run, rounded up. */
export function resolvedWarmup(warmupSteps: number, trainingSteps: number): number {
  return warmupSteps >= 1 ? Math.trunc(warmupSteps) : Math.ceil(trainingSteps * warmupSteps);
}
