/** The demo's job: LoRA on the small ViT of examples/demo/model, from digits in memory to an adapter and a merged model. */
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  AutoImageProcessor,
  AutoModelForImageClassification,
  accuracy,
  argMax,
  type EvalPrediction,
  getPeftModel,
  type ImageExample,
  imageDataset,
  LoraConfig,
  splitDataset,
  Trainer,
  type TrainerCallback,
  TrainingArguments,
} from "graft-peft";
import { compare } from "./compare.js";
import { digitNames } from "./pictures.js";

export const modelFolder = fileURLToPath(new URL("./model", import.meta.url));

/** Fixed before the first run on this split. */
const SEED = 0;
const HELD_OUT = 1_000;
const TRAIN_ROWS = 4_000;

export interface AdaptOptions {
  readonly digits: readonly ImageExample[];
  /** Adapter and merged model are written into folders below. */
  readonly outputFolder: string;
  /** Default 1000: eight passes over 4,000 digits. */
  readonly steps?: number;
  /** Digits that accuracy is measured on. Default 1000. */
  readonly heldOut?: number;
  readonly progress?: TrainerCallback;
  readonly log: (line: string) => void;
}

export interface AdaptResult {
  readonly accuracyBefore: number;
  readonly accuracyAfter: number;
  readonly lossBefore: number;
  readonly lossAfter: number;
  /** Between logits of the merged and of the unmerged model. */
  readonly largestDifference: number;
  /** L2 norm of that difference, divided by that of the logits. */
  readonly relativeDifference: number;
  readonly adapterFolder: string;
  readonly mergedFolder: string;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const computeMetrics = ({ predictions, labelIds }: EvalPrediction) =>
  accuracy({ predictions: argMax(predictions), references: labelIds?.data as ArrayLike<number> });

export async function adaptToDigits(options: AdaptOptions): Promise<AdaptResult> {
  const { digits, outputFolder, steps = 1_000, heldOut = HELD_OUT, progress, log } = options;
  const split = splitDataset(digits, { testSize: HELD_OUT, seed: SEED });
  const train = split.train.slice(0, TRAIN_ROWS);
  const test = split.test.slice(0, heldOut);

  // The folder has no classifier, so the model begins with a new one for the ten digits; `onReport` would say so.
  const processor = await AutoImageProcessor.fromPretrained(modelFolder);
  const base = await AutoModelForImageClassification.fromPretrained(modelFolder, {
    id2label: digitNames,
    seed: SEED,
    onReport: ({ newlyInitialized }) => log(`Begins with new values: ${newlyInitialized.join(", ")}`),
  });
  const lora = new LoraConfig({
    r: 16,
    loraAlpha: 32,
    targetModules: ["query", "value"],
    modulesToSave: ["classifier"],
  });
  const model = getPeftModel(base, lora, { seed: SEED });
  log(model.trainableParametersLine());

  const trainer = new Trainer({
    model,
    args: new TrainingArguments({
      perDeviceTrainBatchSize: 32,
      perDeviceEvalBatchSize: 100,
      maxSteps: steps,
      learningRate: 3e-3,
      warmupSteps: 0.1,
      weightDecay: 0,
      loggingSteps: 0.25,
      saveStrategy: "no",
      reportTo: "none",
      seed: SEED,
    }),
    trainDataset: imageDataset(train, processor),
    evalDataset: imageDataset(test, processor),
    computeMetrics,
    ...(progress && { callbacks: [progress] }),
  });
  try {
    const before = await trainer.evaluate();
    log(`Before: ${percent(before.eval_accuracy!)} of ${test.length} held-out digits read right (chance: 10 %).`);
    log(`Training on ${train.length} digits, ${steps} steps ...`);
    await trainer.train();
    const after = await trainer.evaluate();
    log(`After:  ${percent(after.eval_accuracy!)} of ${test.length} held-out digits read right.`);

    const adapterFolder = join(outputFolder, "adapter");
    await model.savePretrained(adapterFolder);

    const sample = imageDataset(test, processor);
    const { predictions: unmerged } = await trainer.predict(sample);
    const merged = await model.mergeAndUnload();
    const { predictions } = await new Trainer({ model: merged, args: trainer.args }).predict(sample);
    const { largest, relative } = compare(unmerged.data, predictions.data);
    const mergedFolder = join(outputFolder, "merged");
    await merged.savePretrained(mergedFolder);
    await copyFile(join(modelFolder, "preprocessor_config.json"), join(mergedFolder, "preprocessor_config.json"));
    return {
      accuracyBefore: before.eval_accuracy!,
      accuracyAfter: after.eval_accuracy!,
      lossBefore: before.eval_loss!,
      lossAfter: after.eval_loss!,
      largestDifference: largest,
      relativeDifference: relative,
      adapterFolder,
      mergedFolder,
    };
  } finally {
    await base.dispose();
  }
}

/** The likeliest digits for a picture, by the merged model as any program would load it. */
export async function readDigit(folder: string, picture: string): Promise<{ label: string; probability: number }[]> {
  const processor = await AutoImageProcessor.fromPretrained(folder);
  const model = await AutoModelForImageClassification.fromPretrained(folder);
  const { data, shape } = await processor.load(picture);
  const { logits } = await model({ pixelValues: { dtype: "float32", shape: [1, ...shape], data } });
  await model.dispose();
  const weights = Array.from(logits.data, (logit) => Math.exp(logit - Math.max(...logits.data)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights
    .map((weight, id) => ({ label: model.config.id2label[id] ?? String(id), probability: weight / sum }))
    .sort((a, b) => b.probability - a.probability);
}
