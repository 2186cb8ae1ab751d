import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoModelForSequenceClassification, PeftModel } from "graft-peft";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, hasSoftwareAdapter, inChromium, TestPage } from "./chromium.js";
import { expectClose, TOLERANCE } from "./numbers.js";
import { openTestSite } from "./site.js";
import { inputs, type TinyRun, type TinyRunOptions, tinyRun } from "./tiny-run.js";

const golden = fileURLToPath(new URL("../golden", import.meta.url));

describe.skipIf(!chromiumPath)(inChromium("LoRA training in Chromium"), () => {
  const tab = new TestPage();
  let expected: TinyRun;

  const runInPage = (options: Omit<TinyRunOptions, "golden">, folder = "golden"): Promise<TinyRun> =>
    tab.evaluate(`tinyRun(${JSON.stringify({ golden: `${tab.url}/${folder}`, ...options })})`);

  beforeAll(async () => {
    expected = await tinyRun({ golden, backend: "cpu", threads: 1 });
    await tab.open(openTestSite);
  });
  afterAll(() => tab.close());

  test("the updates change the model, so that equal figures mean something", () => {
    expect(expected.losses).toHaveLength(5);
    const changes = expected.logits.map((logit, position) => Math.abs(logit - (expected.before[position] as number)));
    expect(Math.max(...changes)).toBeGreaterThan(1000 * TOLERANCE);
  });

  test.each([1, 2])("backend wasm with %d threads gives Node's losses and logits", async (threads) => {
    const run = await runInPage({ backend: "wasm", threads, wasmPaths: `${tab.url}/ort/` });
    expect(run).toMatchObject({ backend: "wasm", threads });
    expectClose(run.before, expected.before);
    expectClose(run.losses, expected.losses);
    expectClose(run.logits, expected.logits);
  });

  test("without wasmPaths and from a server without ranges: one thread, the same losses", async () => {
    const run = await runInPage({ backend: "wasm", threads: 2 }, "whole");
    expect(run.threads).toBe(1);
    expectClose(run.losses, expected.losses);
  });

  test("backend webgpu gives Node's losses and logits where there is an adapter", async (context) => {
    const hasAdapter = await tab.page.evaluate("navigator.gpu?.requestAdapter().then(Boolean) ?? false");
    if (!hasAdapter && !hasSoftwareAdapter) {
      console.warn("WebGPU test skipped: this Chromium has no WebGPU adapter");
      context.skip("no WebGPU adapter");
    }
    const run = await runInPage({ backend: "webgpu", threads: 1, wasmPaths: `${tab.url}/ort/` });
    expect(run.backend).toBe("webgpu");
    expectClose(run.before, expected.before);
    expectClose(run.losses, expected.losses);
    expectClose(run.logits, expected.logits);
    // Without a GPU the shaders are compiled for the processor, which takes most of the time.
  }, 180_000);

  test("an adapter that the page trained and saved gives its logits in Node", async () => {
    const run = await runInPage({ backend: "wasm", threads: 1, saveTo: "/trained" });
    expect(Object.keys(run.saved)).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors"]);
    const folder = await mkdtemp(join(tmpdir(), "graft-browser-"));
    try {
      for (const [name, bytes] of Object.entries(run.saved))
        await writeFile(join(folder, name), Uint8Array.from(bytes));
      const base = await AutoModelForSequenceClassification.fromPretrained(`${golden}/models/bert_seqcls`, {
        threads: 1,
      });
      const { logits } = await (await PeftModel.fromPretrained(base, folder))(inputs);
      await base.dispose();
      expectClose(Array.from(logits.data as Float32Array), run.logits);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("ONNX Runtime's files that are not there are told with what to serve", async () => {
    const options = { golden: `${tab.url}/golden`, backend: "wasm", threads: 1, wasmPaths: `${tab.url}/nowhere/` };
    const told = await tab.evaluate(`tinyRun(${JSON.stringify(options)}).catch(({ code, hint }) => ({ code, hint }))`);
    expect(told).toEqual({ code: "engine", hint: expect.stringContaining("wasmPaths") });
  });

  test("a folder that is not there is told as in Node", async () => {
    const options: TinyRunOptions = { golden: `${tab.url}/golden/nowhere`, backend: "wasm", threads: 1 };
    const told = await tab.page.evaluate(
      `tinyRun(${JSON.stringify(options)}).catch(({ code, hint }) => ({ code, hint }))`,
    );
    expect(told).toEqual({ code: "file-not-found", hint: expect.stringContaining("config.json") });
  });
});
