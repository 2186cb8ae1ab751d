import { decodeImage } from "#image-decoder";
import { GraftError, messageOf } from "../../errors.js";
import { isPointer, pointerRefused } from "../../hub/index.js";
import { decodeBmp } from "./bmp.js";
import { declaredSize } from "./declared-size.js";
import { decodedFormatNames, type ImageFormat, imageFormat, imageFormats } from "./format.js";
import { aroundFrame, firstFrame } from "./gif.js";
import { requirePixels } from "./limits.js";
import { decodeNetpbm } from "./netpbm.js";
import type { RawImage } from "./raw-image.js";

type Decoder = (bytes: Uint8Array) => RawImage | Promise<RawImage>;

async function decodeGif(bytes: Uint8Array): Promise<RawImage> {
  const frame = firstFrame(bytes);
  return aroundFrame(await decodeImage(frame.file, "gif"), frame);
}

/** Decoders of our own; the rest is sharp's, or the browser's. */
const decoders: { readonly [format in ImageFormat]?: Decoder } = {
  bmp: decodeBmp,
  netpbm: decodeNetpbm,
  gif: decodeGif,
};

/** The first bytes as a person would look at them. */
function beginning(bytes: Uint8Array): string {
  if (bytes.length === 0) return "it is empty";
  const text = String.fromCharCode(...bytes.subarray(0, 24));
  const isText = /^[\t\n\r\x20-\x7e]+$/.test(text);
  const hex = () => [...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return isText ? `it is a text that begins ${JSON.stringify(text.split(/[\r\n]/)[0])}` : `it begins ${hex()}`;
}

function unknownFormat(bytes: Uint8Array, name: string): GraftError {
  if (isPointer(bytes)) return pointerRefused(name);
  return new GraftError(
    "invalid-image",
    `${name} is no picture: ${beginning(bytes)}`,
    `Replace or remove it; read are ${decodedFormatNames}, whatever the file's extension.`,
  );
}

/**
 * The RGB pixels of an image file, by its content.
 *
 * @param name stands in error messages.
 * @throws GraftError `lfs-pointer`; `invalid-image` for formats that are not read, and for damaged files, cut-off ones included.
 */
export async function decodeFile(bytes: Uint8Array, name: string): Promise<RawImage> {
  const format = imageFormat(bytes);
  if (format === null) throw unknownFormat(bytes, name);
  const known = imageFormats[format];
  if (!known.isDecoded) {
    throw new GraftError(
      "invalid-image",
      `${name} is of the format ${known.name}, which is not read`,
      `Convert it to JPEG or PNG; read are ${decodedFormatNames}.`,
    );
  }
  try {
    const size = declaredSize(bytes, format);
    if (size) requirePixels(size.width, size.height);
    const decode = decoders[format] ?? ((file) => decodeImage(file, format));
    return await decode(bytes);
  } catch (error) {
    if (error instanceof GraftError && error.code === "unsupported") throw error;
    throw new GraftError(
      "invalid-image",
      `${name} cannot be decoded (${known.name}): ${messageOf(error).split("\n")[0]}`,
      "The file is damaged, cut off, or of a rare kind: replace or remove it, or convert it to PNG.",
      { cause: error },
    );
  }
}
