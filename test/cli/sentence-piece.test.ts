import { copyFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AutoModelForSequenceClassification } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { goldenFolder } from "../data/tokenizer-golden.js";
import { graft, workFolder } from "./graft.js";

/** DeBERTa-v3 in small: distances in buckets, no absolute positions, no token types. */
const config = {
  model_type: "deberta-v2",
  vocab_size: 494,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 48,
  relative_attention: true,
  position_buckets: 8,
  max_position_embeddings: 40,
  norm_rel_ebd: "layer_norm",
  share_att_key: true,
  pos_att_type: "p2c|c2p",
  position_biased_input: false,
  type_vocab_size: 0,
  initializer_range: 0.2,
};

let folder: string;
beforeAll(async () => {
  folder = await workFolder();
  const model = AutoModelForSequenceClassification.fromConfig(config, { numLabels: 2 });
  await model.savePretrained(join(folder, "deberta"));
  await model.dispose();
  await copyFile(`${goldenFolder}spm/deberta.model`, join(folder, "deberta/spm.model"));
  const rows = Array.from({ length: 32 }, (_, i) =>
    i % 2 === 0 ? `Hello world\tthe film is great ${i}\tup` : `poor text\tthe film is awful ${i}\tdown`,
  );
  await writeFile(join(folder, "train.tsv"), ["sentence1\tsentence2\tlabel", ...rows, ""].join("\n"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]) => graft(folder, args);

describe("DeBERTa with nothing but a SentencePiece model, on pairs of texts", () => {
  it("is trained, and the tokenizer goes with what is saved", async () => {
    const data = ["--train", "train.tsv", "--eval", "train.tsv", "--output", "out"];
    const options = ["--learning-rate", "0.01", "--num-train-epochs", "4", "--threads", "1", "--json"];
    const { status, stdout } = await run("train", "--model", "deberta", ...data, "--lora", "r=4,alpha=8", ...options);
    expect(status).toBe(0);
    expect(JSON.parse(stdout).eval.eval_accuracy).toBe(1);
    expect(await readdir(join(folder, "out"))).toContain("spm.model");
  });

  it("predicts the same merged", async () => {
    expect((await run("merge", "out", "merged")).status).toBe(0);
    expect(await readdir(join(folder, "merged"))).toEqual([
      "config.json",
      "model.safetensors",
      "spm.model",
      "tokenizer_config.json",
    ]);
    const [beside, inside] = await Promise.all(
      ["out", "merged"].map((path) => run("predict", path, "Hello world", "--threads", "1", "--json")),
    );
    expect(beside?.status).toBe(0);
    const first = (text = "") => JSON.parse(text).labels[0] as { label: string; probability: number };
    expect(first(beside?.stdout)).toMatchObject({ label: "up" });
    expect(first(inside?.stdout).probability).toBeCloseTo(first(beside?.stdout).probability, 5);
  });
});
