import { access, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AdaptResult, adaptToDigits, readDigit } from "../../examples/demo/adapt.js";
import { compare } from "../../examples/demo/compare.js";
import { PIXELS, readDigits } from "../../examples/demo/pictures.js";

let folder: string;
let result: AdaptResult;
const lines: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-demo-"));
  const digits = await readDigits();
  const log = (line: string) => lines.push(line);
  result = await adaptToDigits({ digits, outputFolder: folder, steps: 60, heldOut: 200, log });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the demo, shortened to 60 steps", () => {
  test("the data package holds 10,000 pictures of ten digits", async () => {
    const digits = await readDigits();
    expect(digits).toHaveLength(10_000);
    expect(new Set(digits.map(({ label }) => label)).size).toBe(10);
    expect(digits[0]?.image).toMatchObject({ width: PIXELS, height: PIXELS, channels: 1 });
  });

  test("begins with a fresh head on a model that has none of its own, and trains 50,442 parameters", () => {
    expect(lines[0]).toBe("Begins with new values: classifier.weight, classifier.bias");
    expect(lines[1]).toContain("trainable params: 50,442");
  });

  test("the loss falls and digits are read better than before", () => {
    expect(result.lossAfter).toBeLessThan(0.9 * result.lossBefore);
    expect(result.accuracyAfter).toBeGreaterThan(result.accuracyBefore + 0.1);
  });

  test("merged equals unmerged within 1e-5 relative L2", () => {
    expect(result.relativeDifference).toBeGreaterThan(0);
    expect(result.relativeDifference).toBeLessThan(1e-5);
  });

  test("adapter and merged model are there, and the merged model reads a picture file", async () => {
    await access(join(result.adapterFolder, "adapter_model.safetensors"));
    await access(join(result.adapterFolder, "adapter_config.json"));
    const picture = fileURLToPath(new URL("../../examples/demo/digit.png", import.meta.url));
    const guesses = await readDigit(result.mergedFolder, picture);
    expect(guesses.map(({ label }) => label).sort()).toEqual(Array.from({ length: 10 }, (_, i) => String(i)));
    expect(guesses.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
  });

  test("the comparison sees a difference", () => {
    expect(compare(Float32Array.of(3, 4), Float32Array.of(3, 4.5))).toEqual({ largest: 0.5, relative: 0.1 });
  });
});
