import { GraftError } from "../../errors.js";
import type { CounterRng } from "../../random.js";
import { tensorData } from "../../tensor-data.js";
import { type CropBox, cropImage, flipHorizontally, roundHalfEven, type Size, shortestEdgeSize } from "./geometry.js";
import { type PixelTensor, perChannel, planesThroughTables } from "./pixel-tensor.js";
import { type RawImage, toGrey, toRgb } from "./raw-image.js";
import type { Resample } from "./resample-filters.js";
import { resizeImage } from "./resize.js";

/**
 * One step on the way from a picture to a tensor. Random steps draw from `random` alone, so the generator's key
 * (seed, epoch, sample) decides the result.
 */
export type Transform<From, To> = (input: From, random: CounterRng) => To;

/** Steps one after another, as torchvision's Compose. */
export function compose<A, B>(ab: Transform<A, B>): Transform<A, B>;
export function compose<A, B, C>(ab: Transform<A, B>, bc: Transform<B, C>): Transform<A, C>;
export function compose<A, B, C, D>(ab: Transform<A, B>, bc: Transform<B, C>, cd: Transform<C, D>): Transform<A, D>;
export function compose<A, B, C, D, E>(
  ab: Transform<A, B>,
  bc: Transform<B, C>,
  cd: Transform<C, D>,
  de: Transform<D, E>,
): Transform<A, E>;
export function compose<A, B, C, D, E, F>(
  ab: Transform<A, B>,
  bc: Transform<B, C>,
  cd: Transform<C, D>,
  de: Transform<D, E>,
  ef: Transform<E, F>,
): Transform<A, F>;
export function compose(...steps: Transform<unknown, unknown>[]): Transform<unknown, unknown> {
  return (input, random) => steps.reduce((value, step) => step(value, random), input);
}

/** To 3 channels (RGB) or 1 (grey), as Pillow's convert("RGB") and convert("L"). `ImageProcessor.channels` says which. */
export function convert(channels: 1 | 3): Transform<RawImage, RawImage> {
  return channels === 1 ? toGrey : toRgb;
}

/** Options of `randomResizedCrop`; defaults are torchvision's. */
export interface RandomResizedCropOptions {
  /** Range of the crop's area as a share of the picture's. Default [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** Range of width / height of the crop. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
  /** Default "bilinear" (antialiased). */
  readonly interpolation?: Resample;
}

/** Draws the rectangle of torchvision's RandomResizedCrop: ten tries, then the largest central one of allowed ratio. */
export function randomCropBox(
  { height, width }: Size,
  random: CounterRng,
  { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] }: RandomResizedCropOptions = {},
): CropBox {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * random.uniform(scale[0], scale[1]);
    const aspect = Math.exp(random.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const w = roundHalfEven(Math.sqrt(area * aspect));
    const h = roundHalfEven(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      return { top: random.integer(height - h + 1), left: random.integer(width - w + 1), height: h, width: w };
    }
  }
  const tooNarrow = width / height < ratio[0];
  const tooWide = width / height > ratio[1];
  const h = tooNarrow ? roundHalfEven(width / ratio[0]) : height;
  const w = tooWide ? roundHalfEven(height * ratio[1]) : width;
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}

/** A random part of the picture, resized to `size` (one number: a square). As torchvision's RandomResizedCrop. */
export function randomResizedCrop(
  size: number | Size,
  options: RandomResizedCropOptions = {},
): Transform<RawImage, RawImage> {
  const target = sizeOf(size);
  return (image, random) => {
    const box = randomCropBox(image, random, options);
    return resizeImage(cropImage(image, box), target.width, target.height, options.interpolation ?? "bilinear");
  };
}

/** Mirrors the picture with probability `p` (default 0.5). */
export function randomHorizontalFlip(p = 0.5): Transform<RawImage, RawImage> {
  return (image, random) => (random.uniform() < p ? flipHorizontally(image) : image);
}

/** Shorter side to `size`, proportions kept; or exactly to {height, width}. As torchvision's Resize. */
export function resize(size: number | Size, interpolation: Resample = "bilinear"): Transform<RawImage, RawImage> {
  return (image) => {
    const { height, width } = typeof size === "number" ? shortestEdgeSize(image, size) : size;
    return resizeImage(image, width, height, interpolation);
  };
}

/** The middle of the picture; where it is smaller than `size`, black is added. As torchvision's CenterCrop. */
export function centerCrop(size: number | Size): Transform<RawImage, RawImage> {
  const { height, width } = sizeOf(size);
  return (image) => {
    const start = (whole: number, part: number) =>
      part > whole ? -Math.floor((part - whole) / 2) : roundHalfEven((whole - part) / 2);
    return cropImage(image, { top: start(image.height, height), left: start(image.width, width), height, width });
  };
}

const unitTable = Float32Array.from({ length: 256 }, (_, value) => value / 255);

/** Bytes to float32 in [0, 1], shape [channels, height, width]. As torchvision's ToTensor. */
export function toTensor(): Transform<RawImage, PixelTensor> {
  return (image) => planesThroughTables(image, [unitTable, unitTable, unitTable]);
}

/** (x - mean) / std for each channel, in float32. As torchvision's Normalize. */
export function normalize(mean: readonly number[], std: readonly number[]): Transform<PixelTensor, PixelTensor> {
  if (std.includes(0)) {
    throw new GraftError("invalid-argument", "normalize was given a standard deviation of 0", "Use the data's own.");
  }
  return ({ shape, data }) => {
    const channels = shape[0]!;
    const means = Float32Array.from(perChannel("mean", mean, channels));
    const stds = Float32Array.from(perChannel("std", std, channels));
    const plane = data.length / channels;
    const out = new Float32Array(data.length);
    for (let c = 0; c < channels; c++) {
      const [m, s] = [means[c]!, stds[c]!];
      for (let i = c * plane; i < (c + 1) * plane; i++) out[i] = Math.fround(data[i]! - m) / s;
    }
    return tensorData("float32", shape, out);
  };
}

function sizeOf(size: number | Size): Size {
  return typeof size === "number" ? { height: size, width: size } : size;
}
