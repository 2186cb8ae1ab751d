import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { platform } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openExample } from "../../examples/browser/site.js";
import { chromiumPath, inChromium, TestPage } from "./chromium.js";

const demoModel = fileURLToPath(new URL("../../examples/demo/model", import.meta.url));
const square = fileURLToPath(new URL("./square.png", import.meta.url));

describe.skipIf(!chromiumPath)(inChromium("the example page in Chromium"), () => {
  const tab = new TestPage();
  let folder: string;

  const log = (): Promise<string> => tab.page.locator("#log").innerText();
  const trained = (): Promise<void> => tab.page.locator("#train:not([disabled])").waitFor();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "graft-example-"));
    await tab.open(openExample);
  });
  afterAll(async () => {
    await tab.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("it learns shapes, offers the adapter and names a picture", async () => {
    await tab.page.click("#train");
    await trained();
    expect(await log()).toMatch(/^trainable params: [\s\S]*epoch 5: accuracy (0\.[89]|1)[\s\S]*completed/);
    const names = ["README.md", "adapter_config.json", "adapter_model.safetensors"];
    expect(await tab.page.locator("#adapter a").allInnerTexts()).toEqual(names);
    const download = tab.page.waitForEvent("download");
    await tab.page.click("#adapter a:last-child");
    expect((await platform.readFile(await (await download).path())).length).toBeGreaterThan(10_000);
    await tab.page.setInputFiles("#picture", square);
    await tab.page.locator("#answer:not(:empty)").waitFor();
    expect(await tab.page.innerText("#answer")).toBe("square");
  }, 120_000);

  test("picked folders serve as model and pictures; stopping keeps what was learnt", async () => {
    await tab.page.setInputFiles("#model", demoModel);
    const pictures = join(folder, "pictures");
    for (const name of ["a", "b"]) {
      await platform.makeDirectory(join(pictures, name));
      for (let i = 0; i < 16; i++) await writeFile(join(pictures, name, `${i}.png`), await platform.readFile(square));
    }
    await tab.page.setInputFiles("#pictures", pictures);
    await tab.page.click("#train");
    await tab.page.locator("#progress[value]:not([value='0'])").waitFor();
    await tab.page.click("#stop");
    await trained();
    expect(await log()).toMatch(/aborted: mean loss/);
    expect(await tab.page.locator("#adapter a").count()).toBe(3);
  });

  test("what the user did wrong is told with its code and a hint", async () => {
    const empty = join(folder, "empty");
    await platform.makeDirectory(empty);
    await writeFile(join(empty, "notes.txt"), "no model");
    await tab.page.setInputFiles("#model", empty);
    await tab.page.click("#train");
    await trained();
    expect(await log()).toMatch(/\/my-model.*\(file-not-found\).*config\.json/);
  });
});
