import { platform } from "#platform";
import { decodeFile } from "./decode-file.js";
import { type ImageSource, type RawImage, toRgb } from "./raw-image.js";

/**
 * The RGB pixels of a picture.
 * @throws GraftError `file-not-found`, `file-access`, or `invalid-image` naming the path.
 */
export async function loadImage(source: ImageSource): Promise<RawImage> {
  if (typeof source === "string") return decodeFile(await platform.readFile(source), source);
  return source instanceof Uint8Array ? decodeFile(source, "the picture") : toRgb(source);
}
