import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FORMAT_BYTES, type ImageFormat, imageFormat, imageFormats } from "#graft/data/images/format";
import { loadImage } from "#graft/data/images/load-image";
import { GraftError } from "#graft/errors";
import { CounterRng } from "#graft/random";

interface Kind {
  readonly file: string;
  readonly kind: string;
  /** What Pillow raises; otherwise its pixels. */
  readonly raises?: string;
  readonly width: number;
  readonly height: number;
  readonly data: string;
}
interface Golden {
  readonly kinds: readonly Kind[];
  readonly cuts: readonly { readonly file: string; readonly length: number; readonly raises: string | null }[];
}

const folder = fileURLToPath(new URL("../golden/data/", import.meta.url));
const golden: Golden = JSON.parse(readFileSync(`${folder}image-kinds.json`, "utf8"));
const bytesOf = (file: string) => new Uint8Array(readFileSync(`${folder}kinds/${file}`));

/** What Pillow reads and Graft refuses, with what the refusal says. */
const refusedHere: Record<string, RegExp> = {
  "icon.ico": /format ICO/,
  "picture.tga": /format TGA/,
  "picture-rle.tga": /format TGA/,
  "picture.jp2": /format JPEG 2000/,
  "picture.j2k": /format JPEG 2000/,
  "picture.pcx": /format PCX/,
  "picture.qoi": /format QOI/,
  "lab.tif": /Lab colours are not read/,
  "corrupt.png": /cannot be decoded/,
};

interface Difference {
  readonly mean: number;
  readonly largest: number;
}
type Outcome = Difference | GraftError;
const shown = (value: number) => String(Number(value.toFixed(2)));

function difference(actual: ArrayLike<number>, expected: Uint8Array): Difference {
  let [sum, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const distance = Math.abs(actual[i]! - expected[i]!);
    sum += distance;
    largest = Math.max(largest, distance);
  }
  return { mean: sum / expected.length, largest };
}

async function outcomeOf(source: string | Uint8Array, { width, height, data }: Kind): Promise<Outcome> {
  try {
    const image = await loadImage(source);
    const expected = Uint8Array.from(Buffer.from(data ?? "", "base64"));
    if (data !== undefined)
      expect([image.width, image.height, image.data.length]).toEqual([width, height, expected.length]);
    return difference(image.data, expected);
  } catch (error) {
    if (error instanceof GraftError) return error;
    throw error;
  }
}

describe("kinds of pictures, against Pillow", () => {
  const rows: string[] = [];

  it.each(golden.kinds)("$file: $kind", async (entry) => {
    const outcome = await outcomeOf(`${folder}kinds/${entry.file}`, entry);
    const refusal = entry.raises === undefined ? refusedHere[entry.file] : /./;
    if (outcome instanceof GraftError) {
      rows.push(`| ${entry.kind} | | | refused |`);
      expect(outcome).toMatchObject({
        code: entry.file === "text.jpg" ? "lfs-pointer" : "invalid-image",
        message: expect.stringContaining(entry.file),
      });
      expect(outcome.message).toMatch(refusal ?? "to be read");
      expect(outcome.hint).not.toBe("");
      return;
    }
    expect(refusal).toBeUndefined();
    const { mean, largest } = outcome;
    rows.push(`| ${entry.kind} | ${shown(mean)} | ${largest} | ${largest === 0 ? "same" : "within 1"} |`);
    expect(mean).toBeLessThanOrEqual(1);
  });

  it("the table is the one in the docs", () => {
    expect(rows).toHaveLength(golden.kinds.length);
    console.log(["| kind | mean | largest | verdict |", "|---|---|---|---|", ...rows].join("\n"));
    const docs = readFileSync(fileURLToPath(new URL("../../docs/images.md", import.meta.url)), "utf8");
    // Figures of lossy decoders may differ between processors: kinds and verdicts may not.
    const plain = (row: string) => row.replace(/\| [\d.]+ \| \d+ \|/, "|");
    expect(
      docs
        .split("\n")
        .filter((line) => line.startsWith("| "))
        .map(plain),
    ).toEqual(expect.arrayContaining(rows.map(plain)));
  });

  it("more than 84 kinds are read", () => {
    expect(
      golden.kinds.filter(({ file, raises }) => raises === undefined && !(file in refusedHere)).length,
    ).toBeGreaterThan(84);
  });
});

describe("files that are cut off", () => {
  const kinds = new Map(golden.kinds.map((entry) => [entry.file, entry]));
  const files = [...new Set(golden.cuts.map(({ file }) => file))];

  it.each(files)("%s is refused wherever Pillow refuses it, and whole wherever it is read", async (file) => {
    for (const { length, raises } of golden.cuts.filter((cut) => cut.file === file)) {
      const outcome = await outcomeOf(bytesOf(file).slice(0, length), kinds.get(file) ?? expect.fail(file));
      if (outcome instanceof GraftError) continue;
      expect({ length, raises }).toEqual({ length, raises: null });
      expect(outcome.mean).toBeLessThanOrEqual(1);
    }
  });
});

describe("damaged files", () => {
  const formats = [
    "rle8.bmp",
    "palette4.bmp",
    "rgba32-v4.bmp",
    "p3.ppm",
    "p6.ppm",
    "offset.gif",
    "written.gif",
    "lzw.tif",
  ];
  it.each([...formats, "baseline-420.jpg", "rgb8.png", "lossy.webp"])("%s never crashes", async (file) => {
    const random = new CounterRng([file.length]);
    for (let round = 0; round < 60; round++) {
      const bytes = bytesOf(file);
      for (let i = 0; i <= round % 3; i++) bytes[random.integer(Math.min(bytes.length, 120))] = random.integer(256);
      const image = await loadImage(bytes).catch((error: unknown) => error);
      if (image instanceof Error) expect(image).toMatchObject({ name: "GraftError", code: "invalid-image" });
    }
  });

  it("an AVIF after a damaged one is read", async () => {
    const broken = bytesOf("444.avif").fill(0, 300);
    await expect(loadImage(broken)).rejects.toMatchObject({ code: "invalid-image" });
    await expect(loadImage(bytesOf("444.avif"))).resolves.toMatchObject({ width: 21, height: 14 });
  });
});

describe("imageFormat", () => {
  const formatsOf: Record<string, ImageFormat> = {
    jpg: "jpeg",
    mpo: "jpeg",
    png: "png",
    gif: "gif",
    webp: "webp",
    tif: "tiff",
    avif: "avif",
    bmp: "bmp",
    pbm: "netpbm",
    pgm: "netpbm",
    ppm: "netpbm",
    pfm: "netpbm",
    pam: "pam",
    heic: "heic",
    ico: "ico",
    cur: "cur",
    tga: "tga",
    jp2: "jp2",
    j2k: "jp2",
    jxl: "jxl",
    psd: "psd",
    svg: "svg",
    pdf: "pdf",
    pcx: "pcx",
    dds: "dds",
    qoi: "qoi",
    icns: "icns",
    exr: "exr",
  };
  const nothing = ["empty.png", "text.jpg", "page.jpg", "clip.mp4"];

  it("tells every kind by its first bytes alone", () => {
    for (const { file } of golden.kinds) {
      const expected = nothing.includes(file) ? null : formatsOf[file.split(".")[1]!];
      expect({ file, format: imageFormat(bytesOf(file)) }).toEqual({ file, format: expected });
      expect(imageFormat(bytesOf(file).slice(0, FORMAT_BYTES))).toBe(expected);
    }
    expect(new Set(Object.values(formatsOf))).toEqual(new Set(Object.keys(imageFormats)));
  });

  it.each([
    "BM is how this text begins, and it is no picture",
    "P1 and P2 are processors",
    "P6",
    "\n\u0005\u0001 text",
    "GIF files are fun",
    "<html><head></head><body><p>svg</p></body></html>",
    "text,label\nfine,1\n",
    '{"a": 1}',
    "RIFF....WAVE",
    "",
  ])("takes %j for no picture", (text) => {
    expect(imageFormat(new TextEncoder().encode(text))).toBeNull();
  });

  it.each([[[]], [[0]], [[0xff]], [[0, 0, 0, 0, 0, 0]], [Array.from({ length: 40 }, () => 0)]])(
    "%j is no picture",
    (bytes) => {
      expect(imageFormat(Uint8Array.from(bytes))).toBeNull();
    },
  );
});
