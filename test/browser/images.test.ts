import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadImage } from "graft-peft";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, inChromium, TestPage } from "./chromium.js";
import type { Pixels } from "./decoding.js";
import { openTestSite } from "./site.js";

const folder = fileURLToPath(new URL("../golden/data/files", import.meta.url));

/** Pillow makes 16-bit grey of more than 255 white, which Node follows; a browser shows the upper byte. */
const unlikeNode = "grey16.png";
const names = readdirSync(folder).filter((name) => name !== unlikeNode);

/** JPEG decoders may differ by a few levels; Chromium 156's differs from Node's by none. */
const toleranceOf = (name: string): number => (name.endsWith(".jpg") ? 3 : 0);

describe.skipIf(!chromiumPath)(inChromium("pictures in Chromium"), () => {
  const tab = new TestPage();
  beforeAll(() => tab.open(openTestSite));
  afterAll(() => tab.close());

  test.each(names)("%s has Node's pixels", async (name) => {
    const node = await loadImage(`${folder}/${name}`);
    const page = await tab.evaluate<Pixels>(`pixelsOf("${tab.url}/golden/data/files/${name}")`);
    expect([page.width, page.height, page.data.length]).toEqual([node.width, node.height, node.data.length]);
    const differences = page.data.map((value, i) => Math.abs(value - node.data[i]!));
    expect(Math.max(...differences)).toBeLessThanOrEqual(toleranceOf(name));
  });

  test(`${unlikeNode} has the upper bytes`, async () => {
    const { data } = await tab.evaluate<Pixels>(`pixelsOf("${tab.url}/golden/data/files/${unlikeNode}")`);
    const grey = sharp(`${folder}/${unlikeNode}`).toColourspace("grey16").raw({ depth: "ushort" });
    const { buffer, byteOffset, length } = await grey.toBuffer();
    const expected = new Uint16Array(buffer.slice(byteOffset, byteOffset + length));
    expect(data).toEqual(Array.from(expected).flatMap((value) => [value >> 8, value >> 8, value >> 8]));
  });

  test.each(["rgb.jpg", "rgb.png"])("%s, cut off, is refused as in Node", async (name) => {
    const told = await tab.evaluate(`(async () => {
      const bytes = await platform.readFile("${tab.url}/golden/data/files/${name}");
      platform.mountFile("/cut/${name}", bytes.slice(0, bytes.length / 2));
      return pixelsOf("/cut/${name}").catch(({ name, code, message, hint }) => ({ name, code, message, hint }));
    })()`);
    expect(told).toEqual({
      name: "GraftError",
      code: "invalid-image",
      message: expect.stringContaining(`/cut/${name} cannot be decoded`),
      hint: expect.stringContaining("replace or remove it"),
    });
  });
});
