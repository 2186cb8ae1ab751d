/**
 * Image classification with LoRA, from a folder of pictures to an adapter and back to a prediction: the program of
 * PEFT's image classification guide (ViT, Food-101) in TypeScript, with the same names and settings.
 *
 *   npx tsx examples/walkthrough.ts <model> <pictures> <output> [updates]
 *
 * The model is a Hugging Face folder (config.json, model.safetensors, preprocessor_config.json); the pictures lie in
 * one folder for each class.
 */
import { pathToFileURL } from "node:url";
import {
  AutoImageProcessor,
  AutoModelForImageClassification,
  accuracy,
  argMax,
  centerCrop,
  collateImages,
  compose,
  convert,
  getPeftModel,
  imageDataset,
  LoraConfig,
  normalize,
  PeftConfig,
  PeftModel,
  randomHorizontalFlip,
  randomResizedCrop,
  readImageFolder,
  resize,
  splitDataset,
  Trainer,
  TrainingArguments,
  type TrainingArgumentsOptions,
  toTensor,
} from "graft-peft";
import { EpochTable } from "./epoch-table.js";

export interface Walkthrough {
  /** The pretrained model. */
  readonly checkpoint: string;
  /** One folder of pictures for each class. */
  readonly pictures: string;
  /** Where checkpoints and the adapter go. */
  readonly output: string;
  /** Training arguments that differ from the guide's. */
  readonly changes?: TrainingArgumentsOptions;
  readonly log?: (line: string) => void;
}

/** @returns the accuracy on the pictures held out, and what the saved adapter says about one of them */
export async function walkthrough({ checkpoint, pictures, output, changes, log = console.log }: Walkthrough) {
  // 1. Dataset: the class folders' names are the labels. A tenth of the pictures is held out.
  const { examples, label2id, labels } = await readImageFolder(pictures);
  const id2label = Object.fromEntries(labels.entries());
  const splits = splitDataset(examples, { testSize: 0.1, seed: 42 });

  // Training sees random parts of the pictures, evaluation their middle. The image processor knows size, mean and
  // deviation that the model was pretrained with.
  const processor = await AutoImageProcessor.fromPretrained(checkpoint);
  const size = processor.size.height;
  const toChannels = convert(processor.channels);
  const toInput = compose(toTensor(), normalize(processor.imageMean, processor.imageStd));
  const trainTransforms = compose(toChannels, randomResizedCrop(size), randomHorizontalFlip(), toInput);
  const valTransforms = compose(toChannels, resize(size), centerCrop(size), toInput);
  const trainDataset = imageDataset(splits.train, trainTransforms);
  const evalDataset = imageDataset(splits.test, valTransforms);

  // 2. Model: the checkpoint's encoder with a fresh head for these labels.
  const labelled = { label2id, id2label, ignoreMismatchedSizes: true };
  const model = await AutoModelForImageClassification.fromPretrained(checkpoint, {
    ...labelled,
    onReport: (_, line) => line && log(line),
  });

  // 3. PEFT: LoRA matrices beside the queries' and values' weights; the head is trained and saved whole.
  const config = new LoraConfig({
    r: 16,
    loraAlpha: 16,
    targetModules: ["query", "value"],
    loraDropout: 0.1,
    bias: "none",
    modulesToSave: ["classifier"],
  });
  const loraModel = getPeftModel(model, config);
  log(loraModel.trainableParametersLine());

  // 4. Training.
  const args = new TrainingArguments({
    outputDir: `${output}/checkpoints`,
    removeUnusedColumns: false,
    evaluationStrategy: "epoch",
    saveStrategy: "epoch",
    learningRate: 5e-3,
    perDeviceTrainBatchSize: 16,
    gradientAccumulationSteps: 4,
    perDeviceEvalBatchSize: 16,
    fp16: true, // Accepted, but a warning says that training computes in float32.
    numTrainEpochs: 5,
    loggingSteps: 10,
    loadBestModelAtEnd: true,
    metricForBestModel: "accuracy",
    labelNames: ["labels"],
    ...changes,
  });
  const trainer = new Trainer({
    model: loraModel,
    args,
    trainDataset,
    evalDataset,
    processingClass: processor,
    dataCollator: collateImages(),
    computeMetrics: ({ predictions, labelIds }) =>
      accuracy({ predictions: argMax(predictions), references: labelIds?.data as Int32Array }),
    callbacks: [new EpochTable(log)],
    onWarning: log,
  });
  const { globalStep, trainingLoss, metrics } = await trainer.train();
  log(`${globalStep} updates in ${metrics.train_runtime?.toFixed(0)} s, mean loss ${trainingLoss.toFixed(3)}`);
  const { eval_accuracy = Number.NaN } = await trainer.evaluate();
  const held = `${evalDataset.length} pictures held out`;
  log(`accuracy of the best epoch's weights on ${held}: ${(100 * eval_accuracy).toFixed(1)} %`);

  // 5. The adapter: a few files that Python's PEFT loads as well.
  await loraModel.savePretrained(`${output}/adapter`);
  await loraModel.dispose();
  log(`adapter saved in ${output}/adapter`);

  // 6. Inference, as in another program: the base model that the adapter names, the adapter on it, one picture. The
  // adapter brings the head, so that the report of a fresh one has nothing to say here.
  const { baseModelNameOrPath } = await PeftConfig.fromPretrained(`${output}/adapter`);
  const base = await AutoModelForImageClassification.fromPretrained(baseModelNameOrPath as string, {
    ...labelled,
    onReport: () => {},
  });
  const inferenceModel = await PeftModel.fromPretrained(base, `${output}/adapter`);
  const { image } = splits.test[0]!;
  const { logits } = await inferenceModel(await processor(image));
  const predicted = id2label[argMax(logits)[0]!];
  log(`Predicted class of ${String(image)}: ${predicted}`);
  await inferenceModel.dispose();
  return { accuracy: eval_accuracy, predicted };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [checkpoint, pictures, output, updates] = process.argv.slice(2);
  if (!checkpoint || !pictures || !output) {
    console.error("usage: npx tsx examples/walkthrough.ts <model folder> <picture folder> <output folder> [updates]");
    process.exit(2);
  }
  await walkthrough({ checkpoint, pictures, output, ...(updates && { changes: { maxSteps: Number(updates) } }) });
}
