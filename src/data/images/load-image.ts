import { decodeImage } from "#image-decoder";
import { platform } from "#platform";
import { type ImageSource, type RawImage, toRgb } from "./raw-image.js";

/**
 * The RGB pixels of a picture.
 * @throws GraftError `file-not-found`, `file-access`, or `invalid-image` naming the path.
 */
export async function loadImage(source: ImageSource): Promise<RawImage> {
  if (typeof source === "string") return decodeImage(await platform.readFile(source), source);
  return source instanceof Uint8Array ? decodeImage(source, "the picture") : toRgb(source);
}
