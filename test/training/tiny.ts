import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForImageClassification, AutoModelForSequenceClassification } from "graft-peft";
import { type BatchTensors, type Dataset, datasetOf } from "#graft/data/index";
import { PeftModel } from "#graft/peft/index";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import type { TensorData } from "#graft/tensor-data";

export const goldenFolder = fileURLToPath(new URL("../golden", import.meta.url));

/** A folder for one test file; `remove` deletes it. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "graft-training-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

async function editJson(path: string, changes: Record<string, unknown>): Promise<void> {
  const json = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...json, ...changes }));
}

/** A golden model with a golden adapter on it, trainable, with the given dropout everywhere. */
export async function tinyPeftModel(
  folder: string,
  { base, adapter, dropout }: { base: string; adapter: string; dropout: number },
): Promise<PeftModel> {
  const own = await mkdtemp(join(folder, "model-"));
  const modelFolder = join(own, base);
  const adapterFolder = join(own, adapter);
  await cp(join(goldenFolder, "models", base), modelFolder, { recursive: true });
  await cp(join(goldenFolder, "peft", adapter), adapterFolder, { recursive: true });
  await editJson(join(modelFolder, "config.json"), {
    hidden_dropout_prob: dropout,
    attention_probs_dropout_prob: dropout,
    classifier_dropout: null,
  });
  await editJson(join(adapterFolder, "adapter_config.json"), { lora_dropout: dropout });
  const auto = base.startsWith("vit") ? AutoModelForImageClassification : AutoModelForSequenceClassification;
  const model = await auto.fromPretrained(modelFolder, { threads: 1 });
  return PeftModel.fromPretrained(model, adapterFolder, { isTrainable: true });
}

const camelNames: Record<string, string> = {
  input_ids: "inputIds",
  attention_mask: "attentionMask",
  token_type_ids: "tokenTypeIds",
  pixel_values: "pixelValues",
  labels: "labels",
};

export interface TrainingGolden {
  readonly model: string;
  readonly adapter: string;
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly warmupSteps: number;
  readonly steps: number;
  readonly gradientAccumulationSteps: number;
  readonly results: readonly { loss: number; gradNorm: number; learningRate: number }[];
}

/** A run of PyTorch: its figures, its micro-batches, and the adapter's tensors at its end by their names in the file. */
export async function trainingGolden(name: string): Promise<{
  run: TrainingGolden;
  batches: BatchTensors[];
  trained: Map<string, TensorData>;
}> {
  const path = join(goldenFolder, "training", name);
  const run = JSON.parse(await readFile(`${path}.json`, "utf8"));
  const tensors = await readAllTensors(await openSafetensors(`${path}.safetensors`));
  const batches: Record<string, TensorData>[] = [];
  const trained = new Map<string, TensorData>();
  for (const [key, tensor] of tensors) {
    const batch = /^batch_(\d+)\.(.*)$/.exec(key);
    if (batch) {
      const index = Number(batch[1]);
      batches[index] = { ...batches[index], [camelNames[batch[2] as string] as string]: tensor };
    } else trained.set(key.replace(/^trained\./, ""), tensor);
  }
  return { run, batches, trained };
}

/** Rows of a text task that a tiny model can learn: the class is the first token's remainder by three. */
export function tinyTextDataset(rows: number, offset = 0): Dataset<TinyRow> {
  const make = (_: number, row: number): TinyRow => {
    const inputIds = Array.from({ length: 3 + ((row + offset) % 4) }, (_, i) => 4 + ((row + offset + 7 * i) % 60));
    return { inputIds, label: (inputIds[0] as number) % 3 };
  };
  const list = Array.from({ length: rows }, make);
  return { ...datasetOf(list), lengths: list.map(({ inputIds }) => inputIds.length) };
}

export interface TinyRow {
  readonly inputIds: number[];
  readonly label: number;
}

function int32(shape: number[], values: number[]): TensorData<"int32"> {
  return { dtype: "int32", shape, data: Int32Array.from(values) };
}

/** Pads on the right with token 0. */
export function collateTiny(rows: readonly TinyRow[]): BatchTensors {
  const width = Math.max(...rows.map(({ inputIds }) => inputIds.length));
  const pad = (values: number[]) => [...values, ...new Array<number>(width - values.length).fill(0)];
  const shape = [rows.length, width];
  return {
    inputIds: int32(
      shape,
      rows.flatMap(({ inputIds }) => pad(inputIds)),
    ),
    attentionMask: int32(
      shape,
      rows.flatMap(({ inputIds }) => pad(inputIds.map(() => 1))),
    ),
    labels: int32(
      [rows.length],
      rows.map(({ label }) => label),
    ),
  };
}
