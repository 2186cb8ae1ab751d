import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { graft, textModel, workFolder } from "./graft.js";

let folder: string;
const path = (...names: string[]) => join(folder, ...names);

beforeAll(async () => {
  folder = await workFolder();
  await textModel(path("base"));
  await writeFile(path("train.csv"), "text,label\nthe film is good,1\ngood,0\n");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const train = (...more: string[]) =>
  graft(folder, ["train", "--model", "base", "--train", "train.csv", "--output", "out", "--max-steps", "1", ...more]);

/** A tokenizer without a pad token: no class that implies one, and none in the files. */
async function withoutPad(): Promise<void> {
  const tokenizer = JSON.parse(await readFile(path("base/tokenizer.json"), "utf8"));
  await writeFile(path("base/tokenizer.json"), JSON.stringify({ ...tokenizer, padding: null }));
  await writeFile(path("base/tokenizer_config.json"), '{"tokenizer_class": "PreTrainedTokenizerFast"}');
  await rm(path("base/special_tokens_map.json"), { force: true });
}

describe("a tokenizer without a pad token", () => {
  beforeAll(withoutPad);

  it("is refused with the option that names one, in the caller's spelling", async () => {
    const { status, stderr } = await train("--overwrite");
    expect(status).toBe(1);
    expect(stderr).toContain("rows of different lengths need a pad token");
    expect(stderr).toContain('Name one that the vocabulary has with --pad-token (e.g. "[PAD]")');
    await writeFile(path("run.yaml"), "model: base\noutput: out\ndata:\n  train: train.csv\n");
    const byFile = await graft(folder, ["train", "run.yaml", "--max-steps", "1", "--overwrite"]);
    expect(byFile.stderr).toContain("that the vocabulary has with pad_token (e.g.");
    const unknown = await train("--overwrite", "--pad-token", "[NONE]");
    expect(unknown.stderr).toContain('vocabulary has no token "[NONE]"');
    expect(unknown.stderr).toContain("--pad-token takes a token");
  });

  it("trains, evaluates, predicts and merges with the one that a run names", async () => {
    await writeFile(path("run.yaml"), 'model: base\noutput: out\ndata:\n  train: train.csv\n  pad_token: "[PAD]"\n');
    const trained = await graft(folder, ["train", "run.yaml", "--max-steps", "1", "--overwrite"]);
    expect(trained.stderr + trained.stdout).not.toContain("error");
    expect(trained.status).toBe(0);
    expect(JSON.parse(await readFile(path("out/tokenizer_config.json"), "utf8"))).toEqual({
      tokenizer_class: "PreTrainedTokenizerFast",
      pad_token: "[PAD]",
    });
    expect((await graft(folder, ["eval", "out", "train.csv"])).status).toBe(0);
    const predict = (model: string, ...more: string[]) =>
      graft(folder, ["predict", model, "good", "the film is good", "--json", ...more]);
    const ofAdapter = await predict("out");
    expect(ofAdapter.status).toBe(0);
    expect((await graft(folder, ["merge", "out", "merged"])).status).toBe(0);
    const merged = await predict("merged");
    expect(merged.stdout.split("\n").length).toBe(ofAdapter.stdout.split("\n").length);
    expect(merged.status).toBe(0);
    expect((await predict("base", "--allow-missing")).stdout).toContain("--pad-token");
    expect((await predict("base", "--allow-missing", "--pad-token", "[PAD]")).status).toBe(0);
  }, 60_000);
});

describe("a tokenizer whose vocabulary stands in a file of its own", () => {
  it("goes with the adapter and with the merged model", async () => {
    await textModel(path("base"));
    const { model } = JSON.parse(await readFile(path("base/tokenizer.json"), "utf8"));
    const tokens = Object.entries<number>(model.vocab).sort(([, a], [, b]) => a - b);
    await writeFile(path("base/vocab.txt"), tokens.map(([token]) => `${token}\n`).join(""));
    for (const name of ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]) {
      await rm(path("base", name), { force: true });
    }
    expect((await train("--overwrite")).status).toBe(0);
    expect(await readFile(path("out/vocab.txt"), "utf8")).toBe(await readFile(path("base/vocab.txt"), "utf8"));
    // The class, which the model's config says there, is said here too.
    expect(await readFile(path("out/tokenizer_config.json"), "utf8")).toContain('"BertTokenizer"');
    await rm(path("merged"), { recursive: true, force: true });
    expect((await graft(folder, ["merge", "out", "merged"])).status).toBe(0);
    const words = ["the film is good", "--json"];
    const [adapter, merged] = [
      await graft(folder, ["predict", "out", ...words]),
      await graft(folder, ["predict", "merged", ...words]),
    ];
    expect(adapter.status).toBe(0);
    expect(merged.status).toBe(0);
  }, 60_000);
});
