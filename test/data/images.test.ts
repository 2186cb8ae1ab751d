import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { cropImage, flipHorizontally } from "#graft/data/images/geometry";
import { loadImage } from "#graft/data/images/load-image";
import { ImageProcessor } from "#graft/data/images/processor";
import { type RawImage, rawImage } from "#graft/data/images/raw-image";
import type { Resample } from "#graft/data/images/resample-filters";
import { resizeImage } from "#graft/data/images/resize";
import { centerCrop, compose, normalize, resize, toTensor } from "#graft/data/images/transforms";
import { CounterRng } from "#graft/random";

interface Picture {
  height: number;
  width: number;
  channels: 1 | 3;
  data: string;
}
interface Golden {
  pictures: { colour: Picture; grey: Picture };
  resize: { source: "colour" | "grey"; resample: Resample; out: Picture }[];
  processor: { config: Record<string, unknown>; source: "colour" | "grey"; shape: number[]; data: string }[];
  transforms: { kind: string; size: number; box: [number, number, number, number]; data: string }[];
  files: Record<string, Picture>;
  photos: Record<string, string>;
}

const folder = fileURLToPath(new URL("../golden/data/", import.meta.url));
const golden: Golden = JSON.parse(readFileSync(`${folder}images.json`, "utf8"));

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "base64"));
const floats = (text: string) => new Float32Array(bytes(text).buffer);
const image = ({ width, height, channels, data }: Picture): RawImage => rawImage(width, height, channels, bytes(data));
const colour = image(golden.pictures.colour);
const grey = image(golden.pictures.grey);
const sources = { colour, grey };

function expectSame(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < expected.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!));
  expect(worst).toBe(0);
}

describe("Pillow's resize", () => {
  it.each(golden.resize)("$source, $resample to $out.width x $out.height, to the bit", ({ source, resample, out }) => {
    expectSame(resizeImage(sources[source], out.width, out.height, resample).data, bytes(out.data));
  });

  it("refuses a size of 0", () => {
    expect(() => resizeImage(colour, 0, 4)).toThrow(/0 x 4/);
  });
});

describe("ImageProcessor", () => {
  it.each(golden.processor)("equals ViTImageProcessorPil for $config", ({ config, source, shape, data }) => {
    const out = ImageProcessor.fromJson(config, source === "grey" ? 1 : 3).preprocess(sources[source]);
    expect(out.shape).toEqual(shape);
    expectSame(out.data, floats(data));
  });

  it("refuses a processing step that it does not have, by name", () => {
    expect(() => ImageProcessor.fromJson({ do_pad: true })).toThrow(/"do_pad"/);
  });

  it("names the key that is wrong", () => {
    expect(() => ImageProcessor.fromJson({ size: { height: -3, width: 4 } })).toThrow(/size/);
    expect(() => ImageProcessor.fromJson({ resample: "cubic" })).toThrow(/resample/);
    expect(() => ImageProcessor.fromJson({ image_mean: [0.1, 0.2] })).toThrow(/image_mean has 2 values/);
    expect(() => ImageProcessor.fromJson({ image_std: [0, 1, 1] })).toThrow(/image_std: pixels cannot be divided by 0/);
  });
});

describe("torchvision's transforms", () => {
  const of = (kind: string) => golden.transforms.filter((entry) => entry.kind === kind);
  const random = new CounterRng([0]);

  it.each(of("validation"))("Resize, CenterCrop, ToTensor, Normalize with $size, to the bit", ({ size, data }) => {
    const [mean, std] = [
      [0.485, 0.456, 0.406],
      [0.229, 0.224, 0.225],
    ];
    const steps = compose(resize(size), centerCrop(size), toTensor(), normalize(mean!, std!));
    const out = steps(colour, random);
    expect(out.shape).toEqual([3, size, size]);
    expectSame(out.data, floats(data));
  });

  it.each(of("centerCrop"))("CenterCrop($size), larger than the picture, too", ({ size, data }) => {
    expectSame(centerCrop(size)(colour, random).data, bytes(data));
  });

  it.each(of("crop"))("resized crop of $box and flip", ({ box: [top, left, height, width], data }) => {
    const part = cropImage(colour, { top, left, height, width });
    expectSame(flipHorizontally(resizeImage(part, 16, 16)).data, bytes(data));
  });
});

const assets = fileURLToPath(new URL("../../../shared/assets/", import.meta.url));
const photos = Object.entries(golden.photos).filter(([path]) => existsSync(assets + path));
if (photos.length === 0) console.log("Food-101 is not here: the test of JPEG decoders on photographs is left out");

describe.runIf(photos.length > 0)("JPEG decoders on photographs", () => {
  it("sharp's and Pillow's differ in nothing: same pixels for every picture tried", async () => {
    for (const [path, expected] of photos) {
      const { data } = await loadImage(assets + path);
      expect({ path, digest: createHash("sha256").update(data).digest("hex") }).toEqual({ path, digest: expected });
    }
  });
});

describe("decoding", () => {
  it.each(Object.entries(golden.files))("%s gives Pillow's RGB pixels", async (name, expected) => {
    const decoded = await loadImage(`${folder}files/${name}`);
    expect([decoded.width, decoded.height, decoded.channels]).toEqual([expected.width, expected.height, 3]);
    let worst = 0;
    bytes(expected.data).forEach((value, i) => {
      worst = Math.max(worst, Math.abs(value - decoded.data[i]!));
    });
    // JPEG decoders may differ by rounding; everything else is exact.
    expect(worst).toBeLessThanOrEqual(name.endsWith(".jpg") ? 2 : 0);
  });

  it("names a file that is cut off, one that is no picture, and one that is not there", async () => {
    const whole = new Uint8Array(readFileSync(`${folder}files/rgb.jpg`));
    await expect(loadImage(whole.slice(0, whole.length - 200))).rejects.toMatchObject({ code: "invalid-image" });
    await expect(loadImage(`${folder}images.json`)).rejects.toMatchObject({
      code: "invalid-image",
      message: expect.stringContaining("images.json"),
    });
    await expect(loadImage(`${folder}no.jpg`)).rejects.toMatchObject({ code: "file-not-found" });
  });
});
