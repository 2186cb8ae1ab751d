import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fast, graft, textModel, workFolder } from "./graft.js";

let folder: string;
const run = (...args: string[]) => graft(folder, args);

const tags: Readonly<Record<string, string>> = { good: "B-UP", fine: "I-UP", bad: "B-DOWN", poor: "I-DOWN" };
const sentences = [
  ["the", "film", "is", "good", "fine"],
  ["a", "bad", "poor", "film"],
  ["good", "film", "bad", "poor"],
  ["the", "film", "is", "a", "film"],
  ["is", "good", "bad"],
];
const tagOf = (word: string): string => tags[word] ?? "O";

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bert"));
  const block = sentences.map((words) => words.map((word) => `${word}\t${tagOf(word)}\n`).join("")).join("\n");
  await writeFile(join(folder, "train.conll"), `-DOCSTART-\tO\n\n${block}\n`.concat(block, "\n", block));
  const lines = sentences.map((words) => JSON.stringify({ tokens: words, ner_tags: words.map(tagOf) }));
  await writeFile(join(folder, "dev.jsonl"), lines.join("\n"));
  await writeFile(join(folder, "words.txt"), "the film is good fine\n\nis good bad\n");
  await writeFile(join(folder, "untagged.conll"), "film O\nbad\n");
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("tags of words: train, eval, predict, merge, export", () => {
  beforeAll(async () => {
    const data = ["--train", "train.conll", "--eval", "dev.jsonl", "--output", "out", "--r", "4"];
    const args = ["--task", "token-classification", "--model", "bert", ...data, "--per-device-train-batch-size", "4"];
    const { status, stdout, stderr } = await run("train", ...args, ...fast, "--json");
    expect(stderr).toContain("BertForTokenClassification");
    expect(status).toBe(0);
    await writeFile(join(folder, "result.json"), stdout);
  });

  it("learns the tags and keeps the task beside the adapter", async () => {
    const result = JSON.parse(await readFile(join(folder, "result.json"), "utf8"));
    expect(result.labels).toEqual(["B-DOWN", "B-UP", "I-DOWN", "I-UP", "O"]);
    expect(result.eval).toMatchObject({ eval_f1: 1, eval_precision: 1, eval_recall: 1, eval_accuracy: 1 });
    const adapter = JSON.parse(await readFile(join(folder, "out/adapter_config.json"), "utf8"));
    expect(adapter).toMatchObject({ task_type: "TOKEN_CLS", modules_to_save: ["classifier", "score"] });
    expect(JSON.parse(await readFile(join(folder, "out/graft.json"), "utf8")).task).toBe("token-classification");
  });

  it("eval takes the metrics that are asked for", async () => {
    const { stdout } = await run("eval", "out", "train.conll", "--metrics", "accuracy", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ rows: 15, metrics: { accuracy: 1 } });
    expect(Object.keys(JSON.parse(stdout).metrics)).toEqual(["loss", "accuracy"]);
  });

  it("predict shows words with tags and entities, of a sentence and of files", async () => {
    const { stdout } = await run("predict", "out", "the film is good fine");
    expect(stdout).toMatch(/^word +tag +probability +entity\n/);
    expect(stdout).toMatch(/\ngood +B-UP +\d+\.\d+ % +UP: good fine\nfine +I-UP/);
    const json = await run("predict", "out", "words.txt", "dev.jsonl", "--json");
    const lines = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(2 + sentences.length);
    expect(lines[0]).toMatchObject({
      input: "the film is good fine",
      words: [{ label: "O" }, { label: "O" }, { label: "O" }, { label: "B-UP" }, { word: "fine", label: "I-UP" }],
      entities: [{ type: "UP", text: "good fine", start: 3, end: 4 }],
    });
    expect(lines[1].entities).toEqual([
      { type: "UP", text: "good", start: 1, end: 1 },
      { type: "DOWN", text: "bad", start: 2, end: 2 },
    ]);
    const cut = await run("predict", "out", "film good bad", "--max-length", "4", "--json");
    expect(JSON.parse(cut.stdout).words[2]).toEqual({ word: "bad", label: null, probability: null });
  });

  it("merge and export write a token classifier, which predicts the same", async () => {
    expect((await run("merge", "out", "merged")).status).toBe(0);
    const config = JSON.parse(await readFile(join(folder, "merged/config.json"), "utf8"));
    expect(config.architectures).toEqual(["BertForTokenClassification"]);
    const scores = await run("eval", "merged", "dev.jsonl", "--json");
    expect(JSON.parse(scores.stdout).metrics.f1).toBe(1);
    expect((await run("export", "out", "exported")).status).toBe(0);
    expect((await readFile(join(folder, "exported/onnx/model.onnx"))).length).toBeGreaterThan(1000);
  });
});

describe("what token classification refuses", () => {
  const train = (...more: string[]) => [
    ...["train", "--task", "token-classification", "--model", "bert", "--output", "refused", "--train"],
    ...more,
  ];
  it.each<[string, string[], string, RegExp]>([
    ["a line without a tag", train("untagged.conll"), "invalid-csv", /untagged\.conll:2 has 1 column/],
    ["a metric of rows", train("train.conll", "--metrics", "f1"), "invalid-config", /seqeval, accuracy/],
    ["values", train("train.conll", "--problem-type", "regression"), "unsupported", /regression on words/],
    ["a table's format", train("train.conll", "--format", "csv"), "invalid-argument", /Use conll or jsonl/],
  ])("%s", async (_, args, code, message) => {
    const { status, stderr } = await run(...args);
    expect(status).toBe(1);
    expect(stderr).toMatch(new RegExp(`^error \\[${code}\\]: .+\nhint: `, "m"));
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n +at /);
  });
});
