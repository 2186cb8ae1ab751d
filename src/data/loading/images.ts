import { CounterRng } from "../../random.js";
import type { Dataset, ImageExample } from "../dataset.js";
import { loadImage } from "../images/load-image.js";
import { type PixelTensor, stackPixels } from "../images/pixel-tensor.js";
import { ImageProcessor } from "../images/processor.js";
import type { RawImage } from "../images/raw-image.js";
import type { Transform } from "../images/transforms.js";
import { type BatchTensors, labelTensor, type RowProblemType } from "./batch.js";

/** Pixels of one picture, float32 [channels, height, width], with its label. */
export interface PreparedImage {
  readonly pixelValues: PixelTensor;
  readonly label?: number | readonly number[];
}

/** Options of `imageDataset`. */
export interface ImageDatasetOptions {
  /** Decoded pictures are kept in memory up to so many bytes, so that later epochs need not decode. Default 256 MiB. */
  readonly cacheBytes?: number;
}

/**
 * Pictures that are decoded and prepared when a batch asks for them. With an `ImageProcessor` every epoch gives the same
 * pixels; a transform may be random, its draws keyed by (seed, epoch, row).
 */
export function imageDataset(
  examples: readonly ImageExample[],
  prepare: ImageProcessor | Transform<RawImage, PixelTensor>,
  { cacheBytes = 256 * 1024 * 1024 }: ImageDatasetOptions = {},
): Dataset<PreparedImage> {
  const cache = new Map<number, RawImage>();
  let room = cacheBytes;
  const decoded = async (index: number): Promise<RawImage> => {
    const kept = cache.get(index);
    if (kept !== undefined) return kept;
    const loaded = await loadImage(examples[index]!.image);
    // The processor's resized bytes are smaller than the picture, and it makes the same ones every time.
    const image = prepare instanceof ImageProcessor ? prepare.resizeAndCrop(loaded) : loaded;
    if (!cache.has(index) && image.data.length <= room) {
      room -= image.data.length;
      cache.set(index, image);
    }
    return image;
  };
  return {
    length: examples.length,
    get: async (index, { seed, epoch }) => {
      const image = await decoded(index);
      const { label } = examples[index]!;
      const pixelValues =
        prepare instanceof ImageProcessor
          ? prepare.toPixels(image)
          : prepare(image, new CounterRng([seed, epoch, index, AUGMENT_STREAM]));
      return { pixelValues, ...(label !== undefined && { label }) };
    },
  };
}

/** Keeps augmentation's draws apart from those of shuffling with the same seed. */
const AUGMENT_STREAM = 0xa06;

/**
 * Stacks prepared pictures: pixelValues float32 [batch, channels, height, width], labels int32 (regression: float32).
 * @throws GraftError `shape-mismatch` if the pictures have different sizes.
 */
export function collateImages({
  problemType,
}: {
  problemType?: RowProblemType;
} = {}): (rows: readonly PreparedImage[]) => BatchTensors {
  return (rows) => {
    const pixelValues = stackPixels(rows.map((row) => row.pixelValues));
    return { pixelValues, ...labelTensor(rows, problemType) };
  };
}
