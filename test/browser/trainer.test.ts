import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { chromiumPath, inChromium, TestPage } from "./chromium.js";
import { expectClose, TOLERANCE } from "./numbers.js";
import { openTestSite } from "./site.js";
import { type TrainerRun, type TrainerRunOptions, trainerRun } from "./trainer-run.js";

const golden = fileURLToPath(new URL("../golden", import.meta.url));
const bytesOf = (base64: string | undefined): Uint8Array => Uint8Array.from(Buffer.from(base64 ?? "", "base64"));

describe.skipIf(!chromiumPath)(inChromium("the Trainer in Chromium"), () => {
  const tab = new TestPage();
  let folder: string;
  let node: TrainerRun;
  let run: TrainerRun;

  const runInPage = (options: Partial<TrainerRunOptions>): Promise<TrainerRun> => {
    const given: TrainerRunOptions = {
      golden: `${tab.url}/golden`,
      backend: "wasm",
      threads: 1,
      outputDir: "/run",
      frozenPrecision: "f32",
      ...options,
    };
    return tab.evaluate(`trainerRun(${JSON.stringify(given)})`);
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "graft-browser-"));
    const outputDir = join(folder, "run");
    node = await trainerRun({ golden, backend: "cpu", threads: 1, outputDir, frozenPrecision: "f32" });
    await tab.open(openTestSite);
    run = await runInPage({ frozenPrecision: "int8" });
  });
  afterAll(async () => {
    await tab.close();
    await rm(folder, { recursive: true, force: true });
  });

  test("losses and metrics of the evaluations are Node's", () => {
    expect(node.losses).toHaveLength(8);
    expect(Math.abs((node.losses[7] as number) - (node.losses[0] as number))).toBeGreaterThan(100 * TOLERANCE);
    expectClose(run.losses, node.losses);
    expect(node.evaluations).toHaveLength(2);
    for (const figure of ["loss", "accuracy"] as const) {
      const [page, expected] = [run, node].map(({ evaluations }) =>
        evaluations.map((evaluation) => evaluation[figure]),
      );
      expectClose(page as number[], expected as number[]);
    }
  });

  test("each update is reported", () => {
    expect(run.progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(run.stopReasons).toEqual(["completed"]);
  });

  test("int8 is declined in one sentence, and float32 used", () => {
    expect(run.warnings).toEqual(["the wasm backend has no faster int8 products; f32 is used"]);
    expect(node.warnings).toEqual([]);
  });

  test("the run's files are Node's, and the precision report", () => {
    expect(run.files.filter((name) => !name.endsWith("frozen_precision.json"))).toEqual(node.files);
    expect(run.files).toContain("frozen_precision.json");
    expect(run.files).toContain("checkpoint-8/frozen_precision.json");
    expect(run.files).toContain("checkpoint-8/optimizer.safetensors");
  });

  test("the adapter has Node's config to the byte, its tensors, and the trained model's logits", async () => {
    const name = "adapter_model.safetensors";
    expect(Object.keys(run.adapter)).toEqual(Object.keys(node.adapter));
    for (const file of Object.keys(node.adapter).filter((file) => file !== name && file !== "README.md")) {
      expect(bytesOf(run.adapter[file])).toEqual(bytesOf(node.adapter[file]));
    }
    const saved = join(folder, name);
    await writeFile(saved, bytesOf(run.adapter[name]));
    const page = await readAllTensors(await openSafetensors(saved));
    const expected = await readAllTensors(await openSafetensors(join(folder, "run/adapter", name)));
    expect([...page.keys()]).toEqual([...expected.keys()]);
    for (const [tensor, { shape, data }] of expected) {
      expect(page.get(tensor)?.shape).toEqual(shape);
      expectClose(page.get(tensor)?.data as Float32Array, data as Float32Array);
    }
    expectClose(run.logits, node.logits);
    expectClose(run.reloaded, run.logits);
  });

  test("a run that its AbortSignal stopped goes on from its checkpoint to the same adapter", async () => {
    const resumed = await runInPage({ outputDir: "/aborted", frozenPrecision: "f32", abortAfter: 3 });
    expect(resumed.stopReasons).toEqual(["aborted", "completed"]);
    expect(resumed.progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(resumed.files).toContain("checkpoint-3/trainer_state.json");
    expect(resumed.losses).toEqual(run.losses);
    expect(resumed.adapter).toEqual(run.adapter);
  });
});
