import { GraftError, messageOf } from "../../errors.js";
import { type RawImage, rawImage } from "./raw-image.js";

/**
 * Decodes an image file to RGB with the browser's own decoder. Colour profiles are not applied and alpha is dropped.
 * Decoders differ between browsers by a few levels in JPEGs, and fully transparent pixels come out black, because a
 * canvas stores premultiplied colours.
 *
 * @param name stands in error messages.
 * @throws GraftError `invalid-image` for files that the browser cannot decode.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RawImage> {
  try {
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes)]), {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "none",
    });
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (context === null) throw new Error("the browser gives no 2D canvas");
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return rawImage(width, height, 3, withoutAlpha(context.getImageData(0, 0, width, height).data));
  } catch (error) {
    throw new GraftError(
      "invalid-image",
      `${name} cannot be decoded: ${messageOf(error)}`,
      "The file is damaged, or of a kind that this browser does not show: replace or remove it.",
      { cause: error },
    );
  }
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, o = 0; i < rgba.length; i += 4, o += 3) rgb.set(rgba.subarray(i, i + 3), o);
  return rgb;
}
