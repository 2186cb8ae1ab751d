// Fifty training steps from the Python side's adapter on its batches, beside the losses that reference/train_curve.py wrote.
import { createTrainingSession } from "graft-peft";
import { curveBatch, curveModel, readCurve, readJson } from "./curve-data.js";

/** Losses of every step, and the largest difference of a step between each two runs. */
export interface CurveReport {
  readonly job: string;
  readonly losses: readonly number[];
  readonly differences: readonly { readonly runs: readonly [string, string]; readonly largest: number }[];
}

/**
 * @param folder batches and adapter, written by `train_curve.py --export`
 * @param peers files with the losses of other runs
 */
export async function lossCurve(folder: string, peers: readonly string[]): Promise<CurveReport> {
  const curve = await readCurve(folder);
  const model = await curveModel(folder, curve);
  const session = createTrainingSession(model, { optimizer: "adamw" });
  const losses: number[] = [];
  for (let step = 0; step < curve.steps; step++) {
    losses.push((await session.forwardBackward(await curveBatch(folder, step))).loss);
    await session.optimizerStep({ learningRate: curve.learningRate, maxGradNorm: curve.maxGradNorm });
  }
  await model.dispose();

  const curves: [string, readonly number[]][] = [["Graft", losses]];
  for (const path of peers) curves.push([path, (await readJson<{ losses: number[] }>(path)).losses]);
  const differences = curves.flatMap(([name, values], index) =>
    curves.slice(index + 1).map(([other, others]) => ({
      runs: [name, other] as const,
      largest: Math.max(...values.map((value, step) => Math.abs(value - (others[step] ?? Number.NaN)))),
    })),
  );
  return { job: curve.job, losses, differences };
}

export function curveText({ job, losses, differences }: CurveReport): string {
  const gaps = differences.map(
    ({ runs, largest }) => `largest difference of a step, ${runs.join(" and ")}: ${largest.toExponential(2)}`,
  );
  const course = `loss ${losses[0]?.toFixed(5)} -> ${losses.at(-1)?.toFixed(5)}`;
  return [`${job}: ${losses.length} steps, ${course}`, ...gaps].join("\n");
}
