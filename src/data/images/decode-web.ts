import { GraftError, messageOf } from "../../errors.js";
import { withoutExif } from "./exif.js";
import { type RawImage, rawImage } from "./raw-image.js";

/**
 * Decodes an image file to RGB with the browser's own decoder, to what Node gives: the first frame, no EXIF rotation,
 * colour profiles not applied, alpha dropped. What differs is the browser's: JPEG decoders by a few levels (Chromium's
 * by none), 16-bit grey is cut to its upper byte, and kinds of files that it does not show (TIFF) are refused. Where the
 * browser has no WebGL, fully transparent pixels come out black.
 *
 * @param name stands in error messages.
 * @throws GraftError `invalid-image` for files that the browser cannot decode.
 */
export async function decodeImage(bytes: Uint8Array, name: string): Promise<RawImage> {
  try {
    const bitmap = await createImageBitmap(new Blob([withoutExif(bytes)]), {
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
      imageOrientation: "none",
    });
    try {
      const { width, height } = bitmap;
      return rawImage(width, height, 3, withoutAlpha(rgbaOf(bitmap)));
    } finally {
      bitmap.close();
    }
  } catch (error) {
    throw new GraftError(
      "invalid-image",
      `${name} cannot be decoded: ${messageOf(error)}`,
      "The file is damaged, or of a kind that this browser does not show: replace or remove it.",
      { cause: error },
    );
  }
}

function rgbaOf(bitmap: ImageBitmap): Uint8ClampedArray {
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("the browser gives no 2D canvas");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  for (let i = 3; i < data.length; i += 4) if (data[i] !== 255) return unpremultiplied(bitmap) ?? data;
  return data;
}

/** A 2D canvas stores colours multiplied by alpha, which loses those of transparent pixels; a WebGL texture does not. */
function unpremultiplied(bitmap: ImageBitmap): Uint8ClampedArray | undefined {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  if (gl === null || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return undefined;
  try {
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    gl.framebufferTexture2D(
      gl.FRAMEBUFFER,
      gl.COLOR_ATTACHMENT0,
      gl.TEXTURE_2D,
      gl.getParameter(gl.TEXTURE_BINDING_2D),
      0,
    );
    const rgba = new Uint8ClampedArray(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(rgba.buffer));
    return gl.getError() === gl.NO_ERROR ? rgba : undefined;
  } finally {
    // Browsers keep few contexts alive; a dropped one would be freed late.
    gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

function withoutAlpha(rgba: Uint8ClampedArray): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, o = 0; i < rgba.length; i += 4, o += 3) rgb.set(rgba.subarray(i, i + 3), o);
  return rgb;
}
