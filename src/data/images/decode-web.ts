import { type ImageFormat, imageFormats } from "./format.js";
import { upright } from "./orientation.js";
import { type RawImage, rawImage, withoutAlpha } from "./raw-image.js";

/** Values that a browser would change without a word, or that it does not show: what is known from the header is refused. */
const refusals: { readonly [format in ImageFormat]?: (bytes: Uint8Array) => string | undefined } = {
  tiff: () => "browsers do not show TIFF pictures",
  // Depth and colour type: 16-bit grey without alpha.
  png: (bytes) =>
    bytes[24] === 16 && bytes[25] === 0
      ? "browsers cut 16-bit grey to its upper byte, where Pillow and Node clip it to 255: convert it to 8 bits"
      : undefined,
  avif: (bytes) =>
    String.fromCharCode(...bytes.subarray(8, 12)) === "avis"
      ? "browsers give an animated AVIF other colours than Pillow and Node: convert its first frame"
      : undefined,
};

/**
 * Decodes an image file to RGB with the browser's own decoder, to what Node gives: the first frame, no EXIF rotation,
 * colour profiles not applied, alpha dropped. What differs is the browser's: JPEG decoders by a few levels (Chromium's
 * by none). TIFF and 16-bit grey PNG are refused. Where the browser has no WebGL, fully transparent pixels come out black.
 *
 * @throws Error for files that the browser cannot decode, or would decode to other pixels.
 */
export async function decodeImage(bytes: Uint8Array, format: ImageFormat): Promise<RawImage> {
  const refusal = refusals[format]?.(bytes);
  if (refusal !== undefined) throw new Error(refusal);
  const bitmap = await createImageBitmap(new Blob([upright(bytes, format)]), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
    imageOrientation: "none",
  }).catch((error: unknown) => {
    throw new Error(`this browser cannot show this ${imageFormats[format].name} file`, { cause: error });
  });
  try {
    const { width, height } = bitmap;
    return rawImage(width, height, 3, withoutAlpha(rgbaOf(bitmap)));
  } finally {
    bitmap.close();
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
