import { GraftError, messageOf } from "../../errors.js";
import { type RawImage, rawImage } from "./raw-image.js";

/**
 * Decodes an image file (JPEG, PNG, WebP, GIF, TIFF, AVIF) to RGB as Pillow's Image.open(...).convert("RGB") does: the
 * first frame, no EXIF rotation, colour profiles not applied, alpha dropped, palettes and grey expanded, 16-bit grey
 * clipped to 255, 16-bit RGB cut to its upper byte, CMYK converted without a profile.
 *
 * The JPEG decoder (libjpeg-turbo inside sharp) gave Pillow's pixels to the bit on every picture measured (tests and
 * Food-101), so nothing is lost before resizing.
 *
 * @param name stands in error messages.
 * @throws GraftError `invalid-image` for files that cannot be decoded, cut-off ones included.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RawImage> {
  const { default: sharp } = await import("sharp");
  try {
    const file = sharp(bytes, { failOn: "truncated", ignoreIcc: true });
    const { space, depth } = await file.metadata();
    if (space === "cmyk") {
      const { data, info } = await file.pipelineColourspace("cmyk").toColourspace("cmyk").raw().toBuffer(withInfo);
      return rawImage(info.width, info.height, 3, cmykToRgb(data));
    }
    if (space === "grey16" && depth === "ushort") {
      const pipeline = file.removeAlpha().toColourspace("grey16").raw({ depth: "ushort" });
      const { data, info } = await pipeline.toBuffer(withInfo);
      return rawImage(info.width, info.height, 3, clippedToRgb(data));
    }
    const { data, info } = await file.removeAlpha().toColourspace("srgb").raw({ depth: "uchar" }).toBuffer(withInfo);
    return rawImage(info.width, info.height, 3, data);
  } catch (error) {
    throw new GraftError(
      "invalid-image",
      `${name} cannot be decoded: ${messageOf(error).split("\n")[0]}`,
      "The file is damaged, cut off or not a picture (JPEG, PNG, WebP, GIF, TIFF, AVIF): replace or remove it.",
      { cause: error },
    );
  }
}

const withInfo = { resolveWithObject: true } as const;

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

/** 16-bit little-endian grey to RGB; values above 255 become white, as in Pillow's conversion from mode I;16. */
function clippedToRgb(bytes: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((bytes.length / 2) * 3);
  for (let i = 0, o = 0; i < bytes.length; i += 2, o += 3) rgb.fill(bytes[i + 1] === 0 ? bytes[i]! : 255, o, o + 3);
  return rgb;
}
