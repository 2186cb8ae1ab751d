import { copyFile, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { AutoModelForSequenceClassification } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fast, graft, textModel, workFolder, writeTable } from "./graft.js";

let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "tokenizer"));
  const config = JSON.parse(await readFile(join(folder, "tokenizer/config.json"), "utf8"));
  // Wide enough for int8 products.
  const sizes = { hidden_size: 64, intermediate_size: 128, num_attention_heads: 4, num_hidden_layers: 2 };
  const model = AutoModelForSequenceClassification.fromConfig({ ...config, ...sizes }, { numLabels: 2, seed: 1 });
  await model.savePretrained(join(folder, "bert"));
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) {
    await copyFile(join(folder, "tokenizer", file), join(folder, "bert", file));
  }
  await writeTable(join(folder, "train.tsv"), 32);
  await writeTable(join(folder, "test.tsv"), 12);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("graft train --frozen-precision int8", () => {
  it("evaluates the adapter on the float32 base and with training's products, or says why it trained in float32", async () => {
    const data = ["--model", "bert", "--train", "train.tsv", "--test", "test.tsv", "--output", "out"];
    const args = ["train", ...data, "--frozen-precision", "int8", "--json", ...fast];
    const { status, stdout, stderr } = await graft(folder, args);
    expect(status, stderr).toBe(0);
    const result = JSON.parse(stdout);
    const report = JSON.parse(await readFile(join(folder, "out/frozen_precision.json"), "utf8"));
    // Which of the two it is depends on the processor and on what else it does.
    if (report.used === "int8") {
      expect(result.evalInInt8.int8_loss).toBeCloseTo(result.test.test_loss, 1);
      expect(result.evalInInt8.int8_loss).not.toBe(result.test.test_loss);
    } else {
      expect(result.evalInInt8).toBeNull();
      expect(stderr).toContain(report.reason);
    }
    const evaluated = JSON.parse((await graft(folder, ["eval", "out", "test.tsv", "--json"])).stdout);
    expect(evaluated.metrics.loss).toBeCloseTo(result.test.test_loss, 5);
  });
});
