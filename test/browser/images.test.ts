import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadImage, type RawImage } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, inChromium, TestPage } from "./chromium.js";
import type { Pixels } from "./decoding.js";
import { openTestSite } from "./site.js";

const folder = fileURLToPath(new URL("../golden/data/files", import.meta.url));

/** Pillow clips 16-bit grey to 255, which Node follows; a browser would show the upper byte. */
const isRefused = (name: string): boolean => /\.tif$|^grey16(?!\d|-alpha|\.pgm).*\.png$|^animated\.avif$/.test(name);
const names = readdirSync(folder).filter((name) => !isRefused(name));

const kindsFolder = fileURLToPath(new URL("../golden/data/kinds", import.meta.url));
const { kinds }: { kinds: { file: string }[] } = JSON.parse(readFileSync(`${kindsFolder}/../image-kinds.json`, "utf8"));

/** What only the page refuses: libpng in Node asks for no last chunk, as Pillow's does. */
const stricter = ["no-end.png"];

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

  test.each(kinds.map(({ file }) => file))("%s has Node's pixels, or is refused", async (file) => {
    const node = await loadImage(`${kindsFolder}/${file}`).catch((error: unknown) => error);
    const told = `.catch(({ code, message }) => ({ code, message }))`;
    const page = await tab.evaluate<Pixels | { readonly code: string; readonly message: string }>(
      `pixelsOf("${tab.url}/golden/data/kinds/${file}")${told}`,
    );
    if (node instanceof Error || isRefused(file) || stricter.includes(file)) {
      // Where Node reads what a page must not, the page's own refusal is of the picture.
      const { code = "invalid-image" } = node as { readonly code?: string };
      expect(page).toMatchObject({ code, message: expect.stringContaining(file) });
      return;
    }
    if ("code" in page) expect.fail(page.message);
    const { width, height, data } = node as RawImage;
    expect([page.width, page.height]).toEqual([width, height]);
    const total = page.data.reduce((sum, value, i) => sum + Math.abs(value - data[i]!), 0);
    expect(total / data.length).toBeLessThanOrEqual(1);
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
