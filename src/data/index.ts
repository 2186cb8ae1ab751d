export {
  AutoImageProcessor,
  AutoTokenizer,
  callableTokenizer,
  type PreTrainedTokenizer,
  type TokenizerCallOptions,
  type TokenizerInput,
} from "./auto.js";
export type { ChatMessage } from "./chat/messages.js";
export type { ChatTemplateOptions } from "./chat/render-chat.js";
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
  type TokenExample,
} from "./dataset.js";
export { type Feature, type Features, int2str } from "./datasets/features.js";
export { type DatasetSplits, type LoadDatasetOptions, loadDataset } from "./datasets/load-dataset.js";
export type { Row } from "./datasets/source.js";
export { type BatchTransform, type RowBatch, TableDataset } from "./datasets/table-dataset.js";
export {
  FORMAT_BYTES,
  type ImageFormat,
  type ImageFormatInfo,
  imageFormat,
  imageFormats,
} from "./images/format.js";
export { type CropBox, cropImage, flipHorizontally, type Size } from "./images/geometry.js";
export { loadImage } from "./images/load-image.js";
export type { PixelTensor } from "./images/pixel-tensor.js";
export { type ImageInputs, ImageProcessor } from "./images/processor.js";
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
export {
  DataCollatorForLanguageModeling,
  type LanguageCollatorOptions,
  type LanguageRowInput,
} from "./language/collate.js";
export { type LanguageDatasetOptions, languageDataset, type TokenizedLanguageDataset } from "./language/dataset.js";
export { type EncodedExample, type EncodeLanguageOptions, encodeLanguageExample } from "./language/encode.js";
export type { LanguageExample } from "./language/examples.js";
export { type LanguageRow, type TooLong, tooLongChoices } from "./language/fit.js";
export { packRows } from "./language/pack.js";
export {
  type LanguageDataset,
  type LanguageFormat,
  languageDatasetFrom,
  languageFormats,
  type ReadLanguageOptions,
  readLanguageDataset,
} from "./language/read.js";
export type { Batch, BatchTensors, RowProblemType } from "./loading/batch.js";
export { type DataLoader, type DataLoaderOptions, dataLoader } from "./loading/data-loader.js";
export { collateImages, type ImageDatasetOptions, imageDataset, type PreparedImage } from "./loading/images.js";
export { groupByLength, type Sampler, type SamplerInput, type SamplingStrategy, samplers } from "./loading/samplers.js";
export {
  DataCollatorWithPadding,
  type DataCollatorWithPaddingOptions,
  type TokenizedExample,
  tokenizeDataset,
} from "./loading/text.js";
export {
  DataCollatorForTokenClassification,
  type TokenCollatorOptions,
  type TokenizedWords,
  tokenizeWords,
} from "./loading/tokens.js";
export { type LabelsAre, readClasses } from "./readers/class-labels.js";
export type { DelimitedOptions } from "./readers/delimited.js";
export { type ImageDataset, listImages, type ReadImageFolderOptions, readImageFolder } from "./readers/image-folder.js";
export { type Label2Id, labelNames } from "./readers/labels.js";
export { formatOf, readTable, type TableFormat } from "./readers/registry.js";
export type { Table, TableRow } from "./readers/table.js";
export type { ColumnChoice, TextColumns } from "./readers/text-columns.js";
export {
  type ReadTextOptions,
  readTextDataset,
  type TextDataset,
  type TextLabels,
  type TextRow,
  textDatasetFrom,
} from "./readers/text-dataset.js";
export { linesOfText, readTextFile } from "./readers/text-file.js";
export {
  type ReadTokenOptions,
  readTokenDataset,
  type TokenDataset,
  type TokenFormat,
  tokenFormats,
} from "./readers/token-dataset.js";
export type { ApplyChatTemplateOptions, ChatEncoding } from "./tokenizing/chat-encoding.js";
export type {
  DecodeOptions,
  EncodeOptions,
  TextOrPair,
  TokenizerOptions,
  WordEncoding,
} from "./tokenizing/options.js";
export type { Encoding, PaddedBatch, PaddingOptions, TextInputName } from "./tokenizing/padding.js";
export { type SpecialTokenTexts, Tokenizer } from "./tokenizing/tokenizer.js";
export type { TruncationSide, TruncationStrategy } from "./tokenizing/truncation.js";
