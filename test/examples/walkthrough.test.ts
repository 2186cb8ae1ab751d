import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { walkthrough } from "../../examples/walkthrough.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const demoModel = join(root, "examples/demo/model");
const goldenModel = join(root, "test/golden/models/vit_imgcls");

let folder: string;

/** Horizontal and vertical stripes: what random crops and mirroring leave as it is. */
async function writePictures(target: string, each: number): Promise<void> {
  for (const [name, isHorizontal] of Object.entries({ horizontal: true, vertical: false })) {
    await mkdir(join(target, name), { recursive: true });
    for (let at = 0; at < each; at++) {
      const [width, height] = [40 + at, 48 - at];
      const pixels = Uint8Array.from({ length: width * height }, (_, index) => {
        const position = (isHorizontal ? Math.floor(index / width) : index % width) + at;
        return position % 8 < 4 ? 30 + at : 220 - at;
      });
      const picture = sharp(pixels, { raw: { width, height, channels: 1 } });
      await picture.jpeg().toFile(join(target, name, `${at}.jpg`));
    }
  }
}

/** The demo's model, or a small golden one; config and weights are not changed. */
async function copyModel(target: string): Promise<void> {
  if (existsSync(join(demoModel, "model.safetensors"))) return cp(demoModel, target, { recursive: true });
  await cp(goldenModel, target, { recursive: true });
  await writeFile(join(target, "preprocessor_config.json"), JSON.stringify({ size: { height: 32, width: 32 } }));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-walkthrough-"));
  await copyModel(join(folder, "model"));
  await writePictures(join(folder, "pictures"), 20);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("examples/walkthrough.ts", () => {
  it("trains, saves an adapter and predicts with it", async () => {
    const lines: string[] = [];
    const { accuracy, predicted } = await walkthrough({
      checkpoint: join(folder, "model"),
      pictures: join(folder, "pictures"),
      output: join(folder, "output"),
      changes: { perDeviceTrainBatchSize: 9, gradientAccumulationSteps: 2, numTrainEpochs: 3, loggingSteps: 1 },
      log: (line) => lines.push(line),
    });
    expect(lines[0]).toMatch(/newly initialised.*classifier\.weight/);
    expect(lines[1]).toMatch(/^trainable params: [\d,]+ \|\| all params: [\d,]+ \|\| trainable%: \d/);
    expect(lines[2]).toMatch(/^fp16 has no effect: training computes in float32/);
    expect(lines[3]).toBe("epoch  training loss  validation loss  accuracy");
    expect(lines).toContainEqual(expect.stringMatching(/^6 updates in \d+ s, mean loss \d/));
    expect([0, 0.25, 0.5, 0.75, 1]).toContain(accuracy);
    expect(["horizontal", "vertical"]).toContain(predicted);

    const epochs = lines.slice(4, 7).map((line) => line.trim().split(/\s+/).map(Number.parseFloat));
    expect(epochs.map(([epoch]) => epoch)).toEqual([1, 2, 3]);
    for (const [, trainingLoss, validationLoss, percent] of epochs) {
      expect(trainingLoss).toBeLessThan(3);
      expect(validationLoss).toBeLessThan(3);
      expect([0, 25, 50, 75, 100]).toContain(percent);
    }
    expect(lines).toContain(
      `accuracy of the best epoch's weights on 4 pictures held out: ${(100 * accuracy).toFixed(1)} %`,
    );

    const adapter = join(folder, "output/adapter");
    expect(await readdir(adapter)).toEqual(
      expect.arrayContaining(["adapter_config.json", "adapter_model.safetensors", "README.md"]),
    );
    const config = JSON.parse(await readFile(join(adapter, "adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ peft_type: "LORA", r: 16, lora_alpha: 16, lora_dropout: 0.1 });
    expect(config.modules_to_save).toEqual(["classifier"]);
  });
});
