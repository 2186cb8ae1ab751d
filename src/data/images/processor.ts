import { platform } from "#platform";
import { Callable } from "../../callable.js";
import { GraftError } from "../../errors.js";
import { type HubOptions, outputPath } from "../../hub/index.js";
import { stringifyPython } from "../../json.js";
import type { TensorData } from "../../tensor-data.js";
import { cropImage, type Size, shortestEdgeSize } from "./geometry.js";
import { loadImage } from "./load-image.js";
import { type PixelTensor, perChannel, planesThroughTables, stackPixels } from "./pixel-tensor.js";
import {
  type ImageProcessorConfig,
  parseProcessorConfig,
  processorConfigText,
  readProcessorFolder,
} from "./processor-config.js";
import { type ImageSource, type RawImage, toGrey, toRgb } from "./raw-image.js";
import { resizeImage } from "./resize.js";

/**
 * Prepares pictures as transformers' ViTImageProcessorPil does, to the bit from the same decoded pixels: resize
 * (Pillow's), centre crop, rescale, normalise.
 */
export class ImageProcessor extends Callable<[images: ImageSource | readonly ImageSource[]], Promise<ImageInputs>> {
  /** What preprocessor_config.json says. */
  readonly config: ImageProcessorConfig;
  /** 3: RGB, 1: grey, for models with num_channels 1. */
  readonly channels: 1 | 3;
  private readonly tables: readonly Float32Array[];
  /** preprocessor_config.json, where the processor was made from one. */
  private text: string | undefined;

  /** @throws GraftError `invalid-config` where image_mean or image_std do not fit the channels */
  constructor(config: ImageProcessorConfig, channels: 1 | 3 = 3) {
    super();
    this.config = config;
    this.channels = channels;
    this.tables = pixelTables(config, channels);
  }

  /**
   * Reads preprocessor_config.json (and num_channels of config.json where it is there).
   * @param reference folder of a model, or its name on the Hub
   * @throws GraftError `file-not-found`, `invalid-json`, `lfs-pointer`, `invalid-config`, `unsupported`.
   */
  static async fromPretrained(reference: string, options: HubOptions = {}): Promise<ImageProcessor> {
    const { config, channels, text } = await readProcessorFolder(reference, options);
    return new ImageProcessor(config, channels).withText(text);
  }

  /** From the parsed content of a preprocessor_config.json. */
  static fromJson(json: { readonly [key: string]: unknown }, channels: 1 | 3 = 3): ImageProcessor {
    const processor = new ImageProcessor(parseProcessorConfig(json, "preprocessor_config.json"), channels);
    return processor.withText(stringifyPython(json));
  }

  /**
   * Writes preprocessor_config.json, which transformers loads: as it was read, or, for a processor that was made from
   * options, as a ViTImageProcessor. The number of channels is the model's (num_channels of config.json).
   * @param folder created where it is missing; the file is written whole or not at all
   * @throws GraftError `file-access`, `disk-full`
   */
  async savePretrained(folder: string): Promise<void> {
    await platform.makeDirectory(folder);
    const text = this.text ?? processorConfigText(this.config);
    await platform.writeFileAtomic(outputPath(folder, "preprocessor_config.json"), text);
  }

  /** Mean of each channel, as `normalize` takes it. */
  get imageMean(): readonly number[] {
    return this.config.imageMean;
  }

  /** Standard deviation of each channel. */
  get imageStd(): readonly number[] {
    return this.config.imageStd;
  }

  /** Height and width of what `preprocess` gives (for a shortest edge without a crop: of square pictures). */
  get size(): Size {
    const { doCenterCrop, cropSize, size } = this.config;
    if (doCenterCrop) return cropSize;
    return "shortestEdge" in size ? { height: size.shortestEdge, width: size.shortestEdge } : size;
  }

  /** pixelValues of one decoded picture, float32 [channels, height, width]. */
  preprocess(image: RawImage): PixelTensor {
    return this.toPixels(this.resizeAndCrop(image));
  }

  /** The first half of `preprocess`: still bytes, at the model's size and with its channels. */
  resizeAndCrop(image: RawImage): RawImage {
    let out = this.channels === 1 ? toGrey(image) : toRgb(image);
    const { doResize, size, resample, doCenterCrop, cropSize } = this.config;
    if (doResize) {
      const target = "shortestEdge" in size ? shortestEdgeSize(out, size.shortestEdge) : size;
      out = resizeImage(out, target.width, target.height, resample);
    }
    if (doCenterCrop) {
      const top = Math.floor((out.height - cropSize.height) / 2);
      const left = Math.floor((out.width - cropSize.width) / 2);
      out = cropImage(out, { top, left, ...cropSize });
    }
    return out;
  }

  /** The second half of `preprocess`: rescaled and normalised. */
  toPixels(image: RawImage): PixelTensor {
    return planesThroughTables(image, this.tables);
  }

  /**
   * Decodes and prepares one picture or several, as a model takes them: `model(await processor(image))`.
   * @returns pixelValues float32 [batch, channels, height, width]
   * @throws GraftError `invalid-image`, `file-not-found`, `shape-mismatch` for pictures that stay of different sizes
   */
  async forward(images: ImageSource | readonly ImageSource[]): Promise<ImageInputs> {
    const sources = Array.isArray(images) ? (images as readonly ImageSource[]) : [images as ImageSource];
    if (sources.length === 0) throw noPictures();
    return { pixelValues: stackPixels(await Promise.all(sources.map((source) => this.load(source)))) };
  }

  private withText(text: string): this {
    this.text = text;
    return this;
  }

  /** Decodes and prepares. @throws GraftError `invalid-image`, `file-not-found`. */
  async load(source: ImageSource): Promise<PixelTensor> {
    return this.preprocess(await loadImage(source));
  }
}

/** What an image processor gives a model. */
export type ImageInputs = {
  /** float32 [batch, channels, height, width] */
  readonly pixelValues: TensorData<"float32">;
};

const noPictures = (): GraftError =>
  new GraftError("invalid-argument", "there is no picture to prepare", "Give one picture or more.");

/** What each byte becomes, channel by channel, with NumPy's roundings: rescaled in f64 and stored as f32, then f32. */
function pixelTables(config: ImageProcessorConfig, channels: 1 | 3): Float32Array[] {
  const means = perChannel("image_mean", config.imageMean, channels);
  const stds = perChannel("image_std", config.imageStd, channels);
  return means.map((mean, c) => {
    const [m, s] = [Math.fround(mean), Math.fround(stds[c]!)];
    return Float32Array.from({ length: 256 }, (_, byte) => {
      const value = Math.fround(config.doRescale ? byte * config.rescaleFactor : byte);
      return config.doNormalize ? Math.fround(value - m) / s : value;
    });
  });
}
