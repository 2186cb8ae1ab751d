import { platform } from "#platform";
import { stringifyPython } from "../../json.js";
import { cropImage, type Size, shortestEdgeSize } from "./geometry.js";
import { loadImage } from "./load-image.js";
import { type PixelTensor, perChannel, planesThroughTables } from "./pixel-tensor.js";
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
export class ImageProcessor {
  /** What preprocessor_config.json says. */
  readonly config: ImageProcessorConfig;
  /** 3: RGB, 1: grey, for models with num_channels 1. */
  readonly channels: 1 | 3;
  private readonly tables: readonly Float32Array[];
  /** preprocessor_config.json, where the processor was made from one. */
  private text: string | undefined;

  /** @throws GraftError `invalid-config` where image_mean or image_std do not fit the channels */
  constructor(config: ImageProcessorConfig, channels: 1 | 3 = 3) {
    this.config = config;
    this.channels = channels;
    this.tables = pixelTables(config, channels);
  }

  /**
   * Reads preprocessor_config.json (and num_channels of config.json where it is there).
   * @throws GraftError `file-not-found`, `invalid-json`, `invalid-config`, `unsupported`.
   */
  static async fromFolder(folder: string): Promise<ImageProcessor> {
    const { config, channels, text } = await readProcessorFolder(folder);
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
    await platform.writeFileAtomic(platform.join(folder, "preprocessor_config.json"), text);
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

  private withText(text: string): this {
    this.text = text;
    return this;
  }

  /** Decodes and prepares. @throws GraftError `invalid-image`, `file-not-found`. */
  async load(source: ImageSource): Promise<PixelTensor> {
    return this.preprocess(await loadImage(source));
  }
}

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
