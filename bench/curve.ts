// Fifty training steps from the Python side's adapter on its batches, beside the losses that reference/train_curve.py
// wrote:  node dist-bench/curve.js FOLDER THREADS=2.json [THREADS=1.json]
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  createTrainingSession,
  type ModelInputs,
  PeftModel,
  type TensorData,
} from "graft-peft";
import { openSafetensors, readTensor } from "#graft/safetensors/read";
import { withoutDropout } from "./folders.js";

interface Curve {
  readonly job: "vit-tiny" | "minilm";
  readonly modelFolder: string;
  readonly numLabels: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly maxGradNorm: number;
}

const [folder = "", ...peers] = process.argv.slice(2);
const readJson = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, "utf8")) as T;
const curve = await readJson<Curve>(join(folder, "curve.json"));
const { entries } = await openSafetensors(join(folder, "batches.safetensors"));

async function tensor(step: number, name: string): Promise<TensorData | undefined> {
  const entry = entries.get(`step_${String(step).padStart(2, "0")}.${name}`);
  return entry && { dtype: entry.dtype, shape: entry.shape, data: await readTensor(entry).then(({ data }) => data) };
}

/** (byte / 255 - 0.5) / 0.5, in float32 steps as the Python side. */
function normalized({ shape, data }: TensorData): TensorData {
  const values = Float32Array.from(data as Uint8Array, (byte) => (Math.fround(byte / 255) - 0.5) / 0.5);
  return { dtype: "float32", shape, data: values };
}

async function batch(step: number): Promise<ModelInputs> {
  const labels = (await tensor(step, "labels")) as TensorData;
  const pixels = await tensor(step, "pixels");
  if (pixels) return { pixelValues: normalized(pixels), labels };
  const [inputIds, attentionMask, tokenTypeIds] = await Promise.all(
    ["input_ids", "attention_mask", "token_type_ids"].map((name) => tensor(step, name)),
  );
  return {
    ...(inputIds && { inputIds }),
    ...(attentionMask && { attentionMask }),
    ...(tokenTypeIds && { tokenTypeIds }),
    labels,
  };
}

const auto = curve.job === "vit-tiny" ? AutoModelForImageClassification : AutoModelForSequenceClassification;
const base = await auto.fromPretrained(await withoutDropout(curve.modelFolder, join(folder, "model-no-dropout")), {
  numLabels: curve.numLabels,
  ignoreMismatchedSizes: true,
  threads: 2,
  onReport: () => {},
});
const model = await PeftModel.fromPretrained(base, join(folder, "adapter"), { isTrainable: true });
const session = createTrainingSession(model, { optimizer: "adamw" });
const losses: number[] = [];
for (let step = 0; step < curve.steps; step++) {
  losses.push((await session.forwardBackward(await batch(step))).loss);
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
