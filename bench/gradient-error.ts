// How far int8's gradients are from float32's, tensor by tensor, on the first batch of a folder that
// reference/train_curve.py --export wrote, after a few float32 steps:  node dist-bench/gradient-error.js FOLDER
import { createTrainingSession, type PeftModel, type TensorData } from "graft-peft";
import { type Curve, curveBatch, curveModel, readCurve } from "./curve-data.js";

/** Steps before the comparison: with B still zero, A has no gradient. */
const WARM_UP = 10;

async function gradients(model: PeftModel, folder: string, precision: "f32" | "int8") {
  // All products in int8, whatever probe and guard would say on this machine.
  const knownPrecision = async () => ({ used: precision, reason: "", products: [] });
  const session = createTrainingSession(model, { optimizer: "adamw", frozenPrecision: precision, knownPrecision });
  await session.forwardBackward(await curveBatch(folder, 0));
  const result = await session.gradients();
  await session.zeroGrad();
  return result;
}

function compare({ data: exact }: TensorData, { data: rounded }: TensorData) {
  let [difference, dot, exactSquare, roundedSquare] = [0, 0, 0, 0];
  for (let i = 0; i < exact.length; i++) {
    const [a, b] = [Number(exact[i]), Number(rounded[i])];
    difference += (a - b) ** 2;
    dot += a * b;
    exactSquare += a * a;
    roundedSquare += b * b;
  }
  return { error: Math.sqrt(difference / exactSquare), cosine: dot / Math.sqrt(exactSquare * roundedSquare) };
}

async function warmUp(model: PeftModel, folder: string, { learningRate, maxGradNorm }: Curve): Promise<void> {
  const session = createTrainingSession(model, { optimizer: "adamw" });
  for (let step = 1; step <= WARM_UP; step++) {
    await session.forwardBackward(await curveBatch(folder, step));
    await session.optimizerStep({ learningRate, maxGradNorm });
  }
}

const [folder = ""] = process.argv.slice(2);
const curve = await readCurve(folder);
const model = await curveModel(folder, curve);
await warmUp(model, folder, curve);
const exact = await gradients(model, folder, "f32");
const rounded = await gradients(model, folder, "int8");
await model.dispose();
console.log("| tensor | relative L2 error | cosine |\n|---|---|---|");
for (const [name, gradient] of Object.entries(exact)) {
  const { error, cosine } = compare(gradient, rounded[name] as TensorData);
  console.log(`| ${name} | ${(100 * error).toFixed(2)} % | ${cosine.toFixed(5)} |`);
}
