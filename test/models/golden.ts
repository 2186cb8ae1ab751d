import { fileURLToPath } from "node:url";
import type { ModelInputs } from "graft-peft";
import { camelCase } from "#graft/case";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { type TensorData, toFloat32 } from "#graft/tensor-data";

/** A folder of test/golden/models. */
export const goldenFolder = (name: string): string =>
  fileURLToPath(new URL(`../golden/models/${name}`, import.meta.url));

export async function readTensors(path: string): Promise<Map<string, TensorData>> {
  return readAllTensors(await openSafetensors(path));
}

const inputNames = ["input_ids", "attention_mask", "token_type_ids", "pixel_values"];

/** The model inputs of a golden file, labels aside. */
export function inputsOf(io: ReadonlyMap<string, TensorData>): ModelInputs {
  return Object.fromEntries(inputNames.filter((name) => io.has(name)).map((name) => [camelCase(name), io.get(name)]));
}

/**
 * A decoder's outputs at its tokens: zeros at padding, of which nothing is said. Whatever is not one row of numbers for
 * each token, and outputs of other models, are given back as they are.
 */
export function atTokens(output: TensorData | undefined, io: ReadonlyMap<string, TensorData>): TensorData | undefined {
  const mask = io.get("attention_mask");
  if (!output || !mask || !io.has("position_ids") || output.shape.length !== 3) return output;
  const features = output.shape[2] as number;
  const data = toFloat32(output).map((value, i) => value * Number(mask.data[Math.floor(i / features)]));
  return { dtype: "float32", shape: output.shape, data };
}

/** Largest absolute difference; infinite for other shapes. */
export function maxDifference(actual: TensorData | undefined, expected: TensorData | undefined): number {
  if (!actual || !expected || actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  const [a, b] = [toFloat32(actual), toFloat32(expected)];
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] as number))), 0);
}
