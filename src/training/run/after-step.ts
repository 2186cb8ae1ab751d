import type { AfterStep } from "../../peft/index.js";
import type { OptimizerHandle, StepOptions } from "../../runtime/index.js";
import type { TrainableModel } from "../model.js";

/**
 * Makes an update, and does what the model's methods do after it.
 * @param step the update's number, from 0
 * @returns the global norm before clipping
 */
export async function stepWithMethods(
  model: TrainableModel,
  optimizer: OptimizerHandle,
  step: number,
  options: Omit<StepOptions, "after">,
): Promise<{ gradNorm: number }> {
  const { afterSteps } = model.runner;
  const methods: readonly AfterStep[] = model.afterSteps?.() ?? [];
  const due = methods.filter((method) => method.isDue(step));
  const after = await Promise.all(
    due.map((method) => afterSteps.program(method, (trace, gradient) => method.write(trace, gradient))),
  );
  const result = await optimizer.step({ ...options, after });
  for (const method of methods) await method.finish?.(step, afterSteps);
  return result;
}
