/** When ranks fall, and from where to where. */
export interface Schedule {
  readonly tinit: number;
  readonly tfinal: number;
  readonly deltaT: number;
  readonly totalStep: number;
  /** Triplets of all layers at first. */
  readonly initial: number;
  /** Triplets of all layers in the end. */
  readonly target: number;
}

/**
 * The triplets that may be left after an update (PEFT's `budget_schedule`): all, then fewer along a cubic curve, then the target.
 * @param step the update's number, from 0
 */
export function budgetAt(
  step: number,
  { tinit, tfinal, deltaT, totalStep, initial, target }: Schedule,
): { budget: number; isAllocated: boolean } {
  if (step <= tinit) return { budget: initial, isAllocated: false };
  if (step > totalStep - tfinal) return { budget: target, isAllocated: true };
  const rest = 1 - (step - tinit) / (totalStep - tfinal - tinit);
  return { budget: Math.trunc((initial - target) * rest ** 3 + target), isAllocated: step % deltaT === 0 };
}

/** The highest score that is not left: those above it are as many as the budget, or fewer where scores are equal. */
export function thresholdOf(scores: Float32Array, budget: number): number {
  const taken = scores.length - budget;
  return taken > 0 ? (scores.toSorted()[taken - 1] as number) : Number.NEGATIVE_INFINITY;
}
