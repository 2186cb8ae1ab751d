import type { Sharp } from "sharp";
import { decodeAvif } from "./avif-node.js";
import type { ImageFormat } from "./format.js";
import { MAX_PIXELS } from "./limits.js";
import { type RawImage, rawImage } from "./raw-image.js";
import { photometric, requireWholeTiff, tiffTag, tiffTags } from "./tiff-tags.js";

/**
 * Decodes an image file (JPEG, PNG, WebP, one frame of GIF, TIFF, AVIF) to RGB as Pillow's Image.open(...).convert("RGB")
 * does: the first frame, EXIF rotation for TIFF alone, colour profiles not applied, alpha dropped, palettes and grey
 * expanded, 16-bit grey clipped to 255, 16-bit grey with alpha and 16-bit RGB cut to their upper bytes, CMYK converted
 * without a profile.
 *
 * The JPEG decoder (libjpeg-turbo inside sharp) gave Pillow's pixels to the bit on every picture measured (tests and
 * Food-101), so nothing is lost before resizing.
 *
 * @throws Error for files that cannot be decoded, cut-off ones included.
 */
export async function decodeImage(bytes: Uint8Array, format: ImageFormat): Promise<RawImage> {
  if (format === "avif") return decodeAvif(bytes);
  if (format === "tiff") requireReadable(bytes);
  const { default: sharp } = await import("sharp");
  const file = sharp(bytes, {
    failOn: format === "tiff" ? "error" : "truncated",
    ignoreIcc: true,
    limitInputPixels: MAX_PIXELS,
  });
  // Pillow turns TIFF pictures when it reads them, and no others.
  const upright = format === "tiff" ? file.autoOrient() : file;
  const { space, depth, channels } = await file.metadata();
  if (space === "cmyk") {
    const pipeline = upright.pipelineColourspace("cmyk").toColourspace("cmyk").raw();
    return converted(pipeline, (data) => cmykToRgb(data));
  }
  if (space === "grey16" && (depth === "ushort" || depth === "short")) {
    const pipeline = upright.removeAlpha().toColourspace("grey16").raw({ depth });
    return converted(pipeline, greyReader(bytes, format, depth, channels));
  }
  return converted(upright.removeAlpha().toColourspace("srgb").raw({ depth: "uchar" }), (data) => data);
}

/** @throws Error for TIFF files of which the decoder would make something without a word */
function requireReadable(bytes: Uint8Array): void {
  if (photometricOf(bytes) === photometric.lab) throw new Error("TIFF files of Lab colours are not read");
  requireWholeTiff(bytes);
}

const photometricOf = (bytes: Uint8Array): number | undefined => tiffTag(bytes, tiffTags.photometricInterpretation)[0];

async function converted(pipeline: Sharp, toRgb: (data: Uint8Array) => Uint8Array): Promise<RawImage> {
  const { data, info } = await pipeline.toBuffer({ resolveWithObject: true });
  return rawImage(info.width, info.height, 3, toRgb(data));
}

/** Pillow's CMYK to RGB: (255 - K) less the ink's share of it, in its rounded 8-bit product. */
function cmykToRgb(cmyk: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((cmyk.length / 4) * 3);
  for (let i = 0, o = 0; i < cmyk.length; i += 4) {
    const light = 255 - cmyk[i + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = cmyk[i + c]! * light + 128;
      rgb[o++] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}

/** From 16-bit little-endian grey to RGB, by the rule of the mode in which Pillow opens the file. */
function greyReader(bytes: Uint8Array, format: ImageFormat, depth: "short" | "ushort", channels: number | undefined) {
  const hasTransparentGrey = format === "png" && bytes[25] === 0;
  const isCut = channels === 2 && !hasTransparentGrey;
  const isInverted = format === "tiff" && photometricOf(bytes) === photometric.whiteIsZero;
  const byteOf = (low: number, high: number): number => {
    if (isCut) return high;
    const value = low | (high << 8);
    // libvips turns "white is zero" around, and Pillow does not.
    const kept = isInverted ? 65535 - value : value;
    return depth === "short" && kept > 32767 ? 0 : Math.min(255, kept);
  };
  return (data: Uint8Array): Uint8Array => {
    const rgb = new Uint8Array((data.length / 2) * 3);
    for (let i = 0, o = 0; i < data.length; i += 2, o += 3) rgb.fill(byteOf(data[i]!, data[i + 1]!), o, o + 3);
    return rgb;
  };
}
