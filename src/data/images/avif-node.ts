import { packageFile } from "../../platform/node-packages.js";
import { type RawImage, rawImage, withoutAlpha } from "./raw-image.js";

type Decode = (file: ArrayBuffer) => Promise<{ width: number; height: number; data: Uint8ClampedArray } | null>;

/** What libavif's glue makes its result with: a class of the browser. */
class Pixels {
  constructor(
    readonly data: Uint8ClampedArray,
    readonly width: number,
    readonly height: number,
  ) {}
}

let loaded: Promise<Decode> | undefined;

async function load(): Promise<Decode> {
  const { default: decode, init } = await import("@jsquash/avif/decode.js");
  const wasm = await packageFile("@jsquash/avif/codec/dec/avif_dec.wasm");
  await init({ wasmBinary: wasm.buffer, print: () => {}, printErr: () => {} });
  return decode as Decode;
}

/**
 * Decodes an AVIF with libavif, as Pillow does. sharp's decoder repeats the colours of 4:2:0 where libavif blends them,
 * turns pictures, and reads no animations.
 * @throws Error where it cannot be decoded
 */
export async function decodeAvif(bytes: Uint8Array): Promise<RawImage> {
  loaded ??= load();
  const decode = await loaded;
  const world: { ImageData?: unknown } = globalThis;
  const hasOwn = "ImageData" in world;
  // The name is looked up while the first picture is decoded, which happens before `decode` first waits.
  if (!hasOwn) world.ImageData = Pixels;
  try {
    const pixels = await decode(bytes.slice().buffer);
    if (pixels === null) throw new Error("libavif gives no picture");
    return rawImage(pixels.width, pixels.height, 3, withoutAlpha(pixels.data));
  } catch (error) {
    // A program that was aborted (memory) cannot go on: the next picture gets a new one.
    loaded = undefined;
    throw error;
  } finally {
    if (!hasOwn) delete world.ImageData;
  }
}
