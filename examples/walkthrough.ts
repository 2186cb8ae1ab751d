/**
 * Image classification with LoRA, from a data set of the Hugging Face Hub to an adapter on the Hub and back to a
 * prediction: the program of PEFT's image classification guide (ViT, Food-101) in TypeScript, with the same names.
 *
 *   npx tsx examples/walkthrough.ts [data set] [model] [updates]
 *
 * By default food101 and google/vit-base-patch16-224-in21k; folders on the disk do as well. The adapter is pushed where
 * somebody is logged in (graft login).
 */
import { pathToFileURL } from "node:url";
import {
  AutoImageProcessor,
  AutoModelForImageClassification,
  argMax,
  type BatchTransform,
  centerCrop,
  collateImages,
  compose,
  convert,
  getPeftModel,
  LoraConfig,
  loadDataset,
  loadMetric,
  login,
  normalize,
  type Parameter,
  PeftConfig,
  PeftModel,
  type PreparedImage,
  type RawImage,
  randomHorizontalFlip,
  randomResizedCrop,
  resize,
  Trainer,
  TrainingArguments,
  type TrainingArgumentsOptions,
  toTensor,
} from "graft-peft";
import { EpochTable } from "./epoch-table.js";

export interface Walkthrough {
  readonly dataset?: string;
  readonly split?: string;
  readonly modelCheckpoint?: string;
  /** A picture to classify in the end: a path, a URL, or the bytes of a file. */
  readonly picture: string | Uint8Array;
  /** Where checkpoints and the adapter go. */
  readonly output: string;
  /** Training arguments that differ from the guide's. */
  readonly changes?: TrainingArgumentsOptions;
  readonly log?: (line: string) => void;
}

function printTrainableParameters(model: { namedParameters(): [string, Parameter][] }, log: (line: string) => void) {
  let trainable = 0;
  let all = 0;
  for (const [, parameter] of model.namedParameters()) {
    all += parameter.numel();
    if (parameter.requiresGrad) trainable += parameter.numel();
  }
  const share = ((100 * trainable) / all).toFixed(2);
  log(`trainable params: ${trainable} || all params: ${all} || trainable%: ${share}`);
}

/** @returns the accuracy on the pictures held out, and what the adapter, loaded by its name, says of a picture */
export async function walkthrough({
  dataset: name = "food101",
  split = "train[:5000]",
  modelCheckpoint = "google/vit-base-patch16-224-in21k",
  picture,
  output,
  changes,
  log = console.log,
}: Walkthrough) {
  // 1. Dataset: the names of the classes come with it. A tenth of the pictures is held out.
  const dataset = await loadDataset(name, { split });
  const labels = dataset.feature("label").names;
  const label2id = Object.fromEntries(labels.map((label, id) => [label, id]));
  const id2label = Object.fromEntries(labels.entries());

  // Training sees random parts of the pictures, evaluation their middle. The image processor knows size, mean and
  // deviation that the model was pretrained with.
  const imageProcessor = await AutoImageProcessor.fromPretrained(modelCheckpoint);
  const size = imageProcessor.size.height;
  const toChannels = convert(imageProcessor.channels);
  const toInput = compose(toTensor(), normalize(imageProcessor.imageMean, imageProcessor.imageStd));
  const trainTransforms = compose(toChannels, randomResizedCrop(size), randomHorizontalFlip(), toInput);
  const valTransforms = compose(toChannels, resize(size), centerCrop(size), toInput);
  const preprocessTrain: BatchTransform = (batch, random) => {
    batch.pixelValues = (batch.image as RawImage[]).map((image) => trainTransforms(image, random));
    return batch;
  };
  const preprocessVal: BatchTransform = (batch, random) => {
    batch.pixelValues = (batch.image as RawImage[]).map((image) => valTransforms(image, random));
    return batch;
  };
  const { train: trainDataset, test: evalDataset } = dataset.trainTestSplit({ testSize: 0.1, seed: 42 });
  trainDataset.setTransform(preprocessTrain);
  evalDataset.setTransform(preprocessVal);

  // 2. Model: the checkpoint's encoder with a fresh head for these labels.
  const labelled = { label2id, id2label, ignoreMismatchedSizes: true, onReport: () => {} };
  const model = await AutoModelForImageClassification.fromPretrained(modelCheckpoint, labelled);
  printTrainableParameters(model, log);

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
  printTrainableParameters(loraModel, log);

  // 4. Training.
  const modelName = modelCheckpoint.split(/[/\\]/).at(-1);
  const outputDir = `${output}/${modelName}-finetuned-lora-${name.split(/[/\\]/).at(-1)}`;
  const args = new TrainingArguments({
    outputDir,
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
    pushToHub: true,
    labelNames: ["labels"],
    ...changes,
  });
  const metric = loadMetric("accuracy");
  const collate = collateImages();
  const trainer = new Trainer({
    model: loraModel,
    args,
    trainDataset,
    evalDataset,
    tokenizer: imageProcessor,
    dataCollator: (rows) => collate(rows as unknown as PreparedImage[]),
    computeMetrics: ({ predictions, labelIds }) =>
      metric.compute({ predictions: argMax(predictions), references: labelIds?.data as Int32Array }),
    callbacks: [new EpochTable(log)],
    onWarning: log,
  });
  await trainer.train();
  const { eval_accuracy = Number.NaN } = await trainer.evaluate(evalDataset);
  log(
    `accuracy of the best epoch's weights on ${evalDataset.length} pictures held out: ${(100 * eval_accuracy).toFixed(1)} %`,
  );
  let repoName = outputDir;
  if (args.pushToHub) repoName = (await trainer.pushToHub({ datasets: [name] })).repoId;
  else await trainer.saveModel();
  await loraModel.dispose();
  log(`the adapter is ${repoName}`);

  // 5. Inference, as in another program: the base model that the adapter names, the adapter on it, one picture.
  const { baseModelNameOrPath } = await PeftConfig.fromPretrained(repoName);
  const base = await AutoModelForImageClassification.fromPretrained(baseModelNameOrPath as string, labelled);
  const inferenceModel = await PeftModel.fromPretrained(base, repoName);
  const processor = await AutoImageProcessor.fromPretrained(repoName);
  const { logits } = await inferenceModel(await processor(picture));
  const predicted = id2label[argMax(logits)[0] as number];
  log(`Predicted class: ${predicted}`);
  await inferenceModel.dispose();
  return { accuracy: eval_accuracy, predicted, repoName };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [dataset, modelCheckpoint, updates] = process.argv.slice(2);
  const isLoggedIn = await login().then(
    () => true,
    () => false,
  );
  const url = "https://huggingface.co/datasets/sayakpaul/sample-datasets/resolve/main/beignets.jpeg";
  const picture = new Uint8Array(await (await fetch(url)).arrayBuffer());
  await walkthrough({
    ...(dataset && { dataset, split: "train" }),
    ...(modelCheckpoint && { modelCheckpoint }),
    picture,
    output: "runs",
    changes: { pushToHub: isLoggedIn, ...(updates && { maxSteps: Number(updates) }) },
  });
}
