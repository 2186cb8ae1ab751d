/** Fine-tuning in a page: a model folder and pictures in, an adapter in PEFT's format out. Copy it and change it. */
import {
  AutoImageProcessor,
  AutoModelForImageClassification,
  accuracy,
  argMax,
  type ClassifierOutputs,
  GraftError,
  getPeftModel,
  type ImageProcessor,
  imageDataset,
  LoraConfig,
  type PeftModel,
  platform,
  readImageFolder,
  splitDataset,
  Trainer,
  TrainingArguments,
} from "graft-peft";
import { drawSamplePictures } from "./sample-pictures.js";

const element = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const [trainButton, stopButton] = [element<HTMLButtonElement>("train"), element<HTMLButtonElement>("stop")];
const picture = element<HTMLInputElement>("picture");
const log = (line: string): void => element("log").append(`${line}\n`);

/** Puts a picked folder's files below `target`, without its own name. @returns whether one was picked */
async function mount(input: HTMLInputElement, target: string): Promise<boolean> {
  const files = [...(input.files ?? [])];
  await platform.remove(target);
  for (const file of files) {
    platform.mountFile(platform.join(target, ...file.webkitRelativePath.split("/").slice(1)), file);
  }
  return files.length > 0;
}

type Model = PeftModel<ClassifierOutputs>;
let model: Model | undefined;
let processor: ImageProcessor | undefined;

async function train(signal: AbortSignal): Promise<void> {
  // A folder that was picked, or a URL below which config.json, model.safetensors and preprocessor_config.json lie.
  const folder = (await mount(element("model"), "/my-model")) ? "/my-model" : new URL("/model", location.href).href;
  if (!(await mount(element("pictures"), "/my-pictures"))) await drawSamplePictures("/my-pictures", 24);
  const { examples, labels } = await readImageFolder("/my-pictures");
  const split = splitDataset(examples, { testSize: 0.25, seed: 1 });

  await model?.dispose();
  const base = await AutoModelForImageClassification.fromPretrained(folder, {
    id2label: labels,
    ignoreMismatchedSizes: true,
    backend: element<HTMLSelectElement>("backend").value as "wasm" | "webgpu",
    wasmPaths: new URL("/ort/", location.href).href,
    seed: 1,
  });
  const lora = { r: 16, loraAlpha: 32, targetModules: ["query", "value"], modulesToSave: ["classifier"] };
  model = getPeftModel(base, new LoraConfig(lora), { seed: 1 });
  processor = await AutoImageProcessor.fromPretrained(folder);
  log(model.trainableParametersLine());

  const trainer = new Trainer({
    model,
    args: new TrainingArguments({
      perDeviceTrainBatchSize: 8,
      numTrainEpochs: 5,
      learningRate: 3e-3,
      evalStrategy: "epoch",
      saveStrategy: "no",
      reportTo: "none",
    }),
    trainDataset: imageDataset(split.train, processor),
    evalDataset: imageDataset(split.test, processor),
    computeMetrics: ({ predictions, labelIds }) =>
      accuracy({ predictions: argMax(predictions), references: labelIds?.data as Int32Array }),
    callbacks: [
      {
        onProgress: ({ progress }) => {
          if (progress.phase === "train")
            Object.assign(element("progress"), { max: progress.total, value: progress.done });
        },
        onEvaluate: ({ metrics, state }) => log(`epoch ${state.epoch}: accuracy ${metrics.eval_accuracy}`),
      },
    ],
    onWarning: log,
  });
  const { stopReason, trainingLoss } = await trainer.train({ signal });
  log(`${stopReason}: mean loss ${trainingLoss.toFixed(3)}`);

  await model.savePretrained("/my-adapter");
  const links = await Promise.all(
    (await platform.listDirectory("/my-adapter")).map(async ({ name }) => {
      const bytes = await platform.readFile(`/my-adapter/${name}`);
      const href = URL.createObjectURL(new Blob([new Uint8Array(bytes)]));
      return Object.assign(document.createElement("a"), { href, download: name, textContent: name });
    }),
  );
  element("adapter").replaceChildren("Adapter: ", ...links.flatMap((link) => [link, " "]));
}

/** The name of the likeliest class. */
async function classify(file: File, model: Model, processor: ImageProcessor): Promise<string> {
  const { data, shape } = await processor.load(new Uint8Array(await file.arrayBuffer()));
  const { logits } = await model({ pixelValues: { dtype: "float32", shape: [1, ...shape], data } });
  return model.config.id2label[argMax(logits)[0] ?? 0] ?? "nothing";
}

/** What went wrong, and what to do about it. */
const told = (error: unknown): string =>
  error instanceof GraftError ? `${error.message} (${error.code}). ${error.hint}` : String(error);

trainButton.onclick = async () => {
  const stop = new AbortController();
  stopButton.onclick = () => stop.abort();
  element("log").replaceChildren();
  [trainButton.disabled, stopButton.disabled, picture.disabled] = [true, false, true];
  await train(stop.signal).then(
    () => {
      picture.disabled = false;
    },
    (error: unknown) => log(told(error)),
  );
  [trainButton.disabled, stopButton.disabled] = [false, true];
};

picture.onchange = async () => {
  const [file] = picture.files ?? [];
  if (!file || !model || !processor) return;
  element("answer").textContent = await classify(file, model, processor).catch(told);
};
