export {
  collectRows,
  type Dataset,
  datasetOf,
  type ExampleContext,
  type ImageExample,
  type RowRange,
  selectRows,
  splitDataset,
  type TextExample,
} from "./dataset.js";
export { type CropBox, cropImage, flipHorizontally, type Size } from "./images/geometry.js";
export { loadImage } from "./images/load-image.js";
export type { PixelTensor } from "./images/pixel-tensor.js";
export { ImageProcessor } from "./images/processor.js";
export type { ImageProcessorConfig } from "./images/processor-config.js";
export { type ImageSource, type RawImage, rawImage } from "./images/raw-image.js";
export type { Resample } from "./images/resample-filters.js";
export { resizeImage } from "./images/resize.js";
export {
  centerCrop,
  compose,
  convert,
  normalize,
  type RandomResizedCropOptions,
  randomHorizontalFlip,
  randomResizedCrop,
  resize,
  type Transform,
  toTensor,
} from "./images/transforms.js";
export type { Batch, BatchTensors, ProblemType } from "./loading/batch.js";
export { type DataLoader, type DataLoaderOptions, dataLoader } from "./loading/data-loader.js";
export { collateImages, type ImageDatasetOptions, imageDataset, type PreparedImage } from "./loading/images.js";
export { groupByLength, type Sampler, type SamplerInput, type SamplingStrategy, samplers } from "./loading/samplers.js";
export { type CollateTextOptions, collateText, type TokenizedExample, tokenizeDataset } from "./loading/text.js";
export { type BatchLimits, validateBatch } from "./loading/validate-batch.js";
export type { DelimitedOptions } from "./readers/delimited.js";
export { type ImageDataset, listImages, type ReadImageFolderOptions, readImageFolder } from "./readers/image-folder.js";
export { type Label2Id, labelNames } from "./readers/labels.js";
export { formatOf, readTable, type TableFormat } from "./readers/registry.js";
export type { Table, TableRow } from "./readers/table.js";
export {
  type ReadTextOptions,
  readTextDataset,
  type TextColumns,
  type TextDataset,
  type TextLabels,
  type TextRow,
  textDatasetFrom,
} from "./readers/text-dataset.js";
export type { Encoding, PaddedBatch, PaddingOptions, TextInputName } from "./tokenizing/padding.js";
export {
  type DecodeOptions,
  type EncodeOptions,
  type SpecialTokenTexts,
  type TextOrPair,
  Tokenizer,
  type TokenizerOptions,
  type WordEncoding,
} from "./tokenizing/tokenizer.js";
export type { TruncationSide, TruncationStrategy } from "./tokenizing/truncation.js";
