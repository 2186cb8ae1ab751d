/** The learning rate of an update as a multiple of the highest one. */
export interface ScheduleLength {
  /** Updates during which the rate rises from 0. */
  readonly warmupSteps: number;
  /** Updates of the whole run. */
  readonly trainingSteps: number;
}

/** @param step updates already made: 0 for the first */
export type Schedule = (step: number, length: ScheduleLength) => number;

/** The rising part that schedules share; undefined once it is over. */
export function warmupFactor(step: number, { warmupSteps }: ScheduleLength): number | undefined {
  return step < warmupSteps ? step / Math.max(1, warmupSteps) : undefined;
}
