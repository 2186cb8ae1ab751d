// Fifty training steps from the Python side's adapter on its batches, beside the losses that reference/train_curve.py
// wrote:  node dist-bench/curve.js FOLDER LOSSES.json [LOSSES.json]
import { createTrainingSession } from "graft-peft";
import { curveBatch, curveModel, readCurve, readJson } from "./curve-data.js";

const [folder = "", ...peers] = process.argv.slice(2);
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
console.log(`${curve.job}: ${losses.length} steps, loss ${losses[0]?.toFixed(5)} -> ${losses.at(-1)?.toFixed(5)}`);
for (const [index, [name, values]] of curves.entries()) {
  for (const [other, others] of curves.slice(index + 1)) {
    const gap = Math.max(...values.map((value, step) => Math.abs(value - (others[step] ?? Number.NaN))));
    console.log(`largest difference of a step, ${name} and ${other}: ${gap.toExponential(2)}`);
  }
}
