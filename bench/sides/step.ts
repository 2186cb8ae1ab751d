import { type FrozenPrecisionReport, PeftModel } from "graft-peft";
import { platform } from "#platform";
import { LEARNING_RATE, MAX_GRAD_NORM, WARM_UP } from "../jobs.js";
import { type GraftSideOptions, loadBase, openSession, readBatch, runAsSide } from "./common.js";

/** What both sides of the step benchmark report; seconds of the measured steps, losses of all. */
export interface StepResult {
  readonly stepSeconds: readonly number[];
  readonly losses: readonly number[];
  readonly peakMemoryMB: number;
}

export interface GraftStepResult extends StepResult {
  /** Of each step, the seconds inside ONNX Runtime and those of clipping and the optimiser. */
  readonly engineSeconds: readonly number[];
  readonly optimizerSeconds: readonly number[];
  /** What came of int8, with the guard's measurements. */
  readonly frozenPrecision?: FrozenPrecisionReport;
}

/** Training steps of Graft from the Python side's adapter on its batch. */
async function steps(options: GraftSideOptions): Promise<GraftStepResult> {
  const model = await PeftModel.fromPretrained(await loadBase(options), `${options.folder}/adapter`, {
    isTrainable: true,
  });
  let frozenPrecision: FrozenPrecisionReport | undefined;
  const session = openSession(model, options, (report) => {
    frozenPrecision = report;
  });
  const batch = await readBatch(options.folder);
  const runs: { step: number; engine: number; optimizer: number; loss: number }[] = [];
  for (let run = 0; run < WARM_UP + options.steps; run++) {
    const start = performance.now();
    const { loss, engineMs } = await session.forwardBackward(batch);
    const backward = performance.now();
    await session.optimizerStep({ learningRate: LEARNING_RATE, maxGradNorm: MAX_GRAD_NORM });
    const end = performance.now();
    runs.push({ step: end - start, engine: engineMs, optimizer: end - backward, loss });
  }
  const peakMemoryMB = (platform.memoryUsage()?.peakRss ?? 0) / 2 ** 20;
  await model.dispose();
  const measured = runs.slice(WARM_UP);
  return {
    stepSeconds: measured.map(({ step }) => step / 1000),
    engineSeconds: measured.map(({ engine }) => engine / 1000),
    optimizerSeconds: measured.map(({ optimizer }) => optimizer / 1000),
    losses: runs.map(({ loss }) => loss),
    peakMemoryMB,
    ...(frozenPrecision && { frozenPrecision }),
  };
}

await runAsSide(steps);
