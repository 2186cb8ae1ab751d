import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  AutoModelForCausalLM,
  AutoModelForImageClassification,
  AutoModelForSequenceClassification,
  type ModelInputs,
  PeftModel,
  type TensorData,
} from "graft-peft";
import { openSafetensors, readTensor } from "#graft/safetensors/read";
import { withoutDropout } from "./folders.js";

/** The class that loads each job's model. */
const classes = {
  "vit-tiny": AutoModelForImageClassification,
  minilm: AutoModelForSequenceClassification,
  stories260k: AutoModelForCausalLM,
  "gpt2-char": AutoModelForCausalLM,
} as const;

/** What reference/train_curve.py --export writes beside the batches. */
export interface Curve {
  readonly job: keyof typeof classes;
  readonly modelFolder: string;
  readonly numLabels: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly maxGradNorm: number;
}

export const readJson = async <T>(path: string): Promise<T> => JSON.parse(await readFile(path, "utf8")) as T;

export const readCurve = (folder: string): Promise<Curve> => readJson<Curve>(join(folder, "curve.json"));

/** (byte / 255 - 0.5) / 0.5, in float32 steps as the Python side. */
function normalized({ shape, data }: TensorData): TensorData {
  const values = Float32Array.from(data as Uint8Array, (byte) => (Math.fround(byte / 255) - 0.5) / 0.5);
  return { dtype: "float32", shape, data: values };
}

/** The batch of a step. */
export async function curveBatch(folder: string, step: number): Promise<ModelInputs> {
  const { entries } = await openSafetensors(join(folder, "batches.safetensors"));
  const tensor = async (name: string): Promise<TensorData | undefined> => {
    const entry = entries.get(`step_${String(step).padStart(2, "0")}.${name}`);
    return entry && readTensor(entry);
  };
  const labels = (await tensor("labels")) as TensorData;
  const pixels = await tensor("pixels");
  if (pixels) return { pixelValues: normalized(pixels), labels };
  const [inputIds, attentionMask, tokenTypeIds] = await Promise.all(
    ["input_ids", "attention_mask", "token_type_ids"].map(tensor),
  );
  return {
    ...(inputIds && { inputIds }),
    ...(attentionMask && { attentionMask }),
    ...(tokenTypeIds && { tokenTypeIds }),
    labels,
  };
}

/** The job's model with the first adapter, every dropout at 0. */
export async function curveModel(folder: string, { job, modelFolder, numLabels }: Curve): Promise<PeftModel> {
  const auto = classes[job];
  const base = await auto.fromPretrained(await withoutDropout(modelFolder, join(folder, "model-no-dropout")), {
    ...(auto !== AutoModelForCausalLM && { numLabels }),
    ignoreMismatchedSizes: true,
    threads: 2,
    onReport: () => {},
  });
  return PeftModel.fromPretrained(base, join(folder, "adapter"), { isTrainable: true });
}
