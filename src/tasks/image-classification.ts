import { platform } from "#platform";
import { toGrey, toRgb } from "../data/images/raw-image.js";
import {
  centerCrop,
  collateImages,
  compose,
  type ImageExample,
  ImageProcessor,
  imageDataset,
  listImages,
  normalize,
  type PixelTensor,
  type PreparedImage,
  type RawImage,
  randomHorizontalFlip,
  randomResizedCrop,
  readImageFolder,
  resize,
  type Transform,
  toTensor,
} from "../data/index.js";
import { GraftError } from "../errors.js";
import { copyCompanions, resolveFiles } from "../hub/index.js";
import { metricsOfLabels } from "./label-metrics.js";
import { predictionOf } from "./probabilities.js";
import { type DataOptions, defineTask } from "./task.js";
import { emptyInput, requireFormat } from "./text-inputs.js";

const formats = ["image-folder"];

/** The walkthrough's augmentations, by phase. */
function augmentation(processor: ImageProcessor, phase: "train" | "evaluate"): Transform<RawImage, PixelTensor> {
  const channels: Transform<RawImage, RawImage> = (image) => (processor.channels === 1 ? toGrey(image) : toRgb(image));
  const { size } = processor;
  const crop =
    phase === "train"
      ? compose(channels, randomResizedCrop(size), randomHorizontalFlip())
      : compose(channels, resize(size.height), centerCrop(size));
  return compose(crop, toTensor(), normalize(processor.imageMean, processor.imageStd));
}

/** A picture, or the pictures of a folder and of those below it. */
async function imagesOf(argument: string, { onInfo }: DataOptions): Promise<string[]> {
  if (!(await platform.exists(argument))) {
    throw new GraftError("file-not-found", `${argument} does not exist`, "Give a picture or a folder of pictures.");
  }
  if (!(await platform.isDirectory(argument))) return [argument];
  const images = await listImages(argument, onInfo);
  if (images.length === 0) throw emptyInput(argument, "pictures");
  return images;
}

/** One class, several classes, or a value, for each picture. */
export const imageClassification = defineTask<ImageExample, PreparedImage>({
  head: "imageClassification",
  reads: "pictures",
  processingFiles: ["preprocessor_config.json"],
  formats,
  problemTypes: ["single_label_classification", "regression", "multi_label_classification"],
  // PEFT has no task type and no usual targets for pictures: this is its own example's choice.
  adapterDefaults: { modules_to_save: ["classifier"], target_modules: ["query", "value"] },
  columns: ["label", "probability"],
  metrics: (problemType) => metricsOfLabels[problemType],
  async read(path, { format, limit, label2id, labelsAre, labelColumn, labelSeparator, problemType, onInfo }) {
    requireFormat(format, formats, "pictures");
    const options = { ...(limit !== undefined && { end: limit }), ...(label2id && { label2id }), labelsAre, onInfo };
    const ofTable = { labelColumn, labelSeparator, problemType };
    return { path, ...(await readImageFolder(path, { ...options, ...ofTable })) };
  },
  async processing({ folder, from, transforms, problemType }) {
    const processor = await ImageProcessor.fromPretrained(folder, from);
    return {
      dataset: (examples, phase) =>
        imageDataset(examples, transforms === "augment" ? augmentation(processor, phase) : processor),
      collate: collateImages(problemType && { problemType }),
      predict: (logits, _example, { config, topK }) => predictionOf(logits, config, topK),
      save: async (to) => copyCompanions(await resolveFiles(folder, undefined, from), to),
    };
  },
  async inputs(given, _pair, options) {
    const images = (await Promise.all(given.map((argument) => imagesOf(argument, options)))).flat();
    return { names: images, examples: images.map((image) => ({ image })) };
  },
});
