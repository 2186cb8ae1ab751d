import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fast, graft, imageModel, textModel, workFolder, writePictures, writeTable } from "./graft.js";

let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bert"));
  await imageModel(join(folder, "vit"));
  await writeTable(join(folder, "train.tsv"), 32);
  await writeTable(join(folder, "dev.tsv"), 12);
  await writePictures(join(folder, "pictures"), 8);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]) => graft(folder, args);

interface Scored {
  readonly input: string;
  readonly labels: readonly { readonly label: string; readonly id: number; readonly probability: number }[];
}

const jsonLines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Scored);

describe("texts: train, eval, predict, merge, inspect", () => {
  beforeAll(async () => {
    const args = [
      "--model",
      "bert",
      "--train",
      "train.tsv",
      "--eval",
      "dev.tsv",
      "--output",
      "out",
      "--lora",
      "r=4,alpha=8",
    ];
    const { status, stdout, stderr } = await run("train", ...args, ...fast, "--logging-steps", "4", "--json");
    expect(stderr).toContain("trainable params: ");
    expect(stderr).toContain("step 4/");
    expect(status).toBe(0);
    await writeFile(join(folder, "result.json"), stdout);
  });

  it("prints the result as one object", async () => {
    const result = JSON.parse(await readFile(join(folder, "result.json"), "utf8"));
    expect(result).toMatchObject({ output: "out", stopReason: "completed", steps: 80, labels: ["down", "up"] });
    expect(result.eval.eval_accuracy).toBe(1);
    expect(result.parameters.trainable).toBeLessThan(result.parameters.all);
  });

  it("saves the adapter with tokenizer, labels and events", async () => {
    const files = await readdir(join(folder, "out"));
    expect(files).toEqual(
      expect.arrayContaining([
        "adapter_config.json",
        "adapter_model.safetensors",
        "events.jsonl",
        "graft.json",
        "tokenizer.json",
        "tokenizer_config.json",
      ]),
    );
    expect(JSON.parse(await readFile(join(folder, "out/graft.json"), "utf8"))).toEqual({
      task: "text-classification",
      problem_type: "single_label_classification",
      id2label: { 0: "down", 1: "up" },
      label2id: { down: 0, up: 1 },
    });
    const events = (await readFile(join(folder, "out/events.jsonl"), "utf8")).trim().split("\n");
    const kinds = events.map((line) => JSON.parse(line) as { event: string; step: number });
    expect(kinds[0]?.event).toBe("trainBegin");
    expect(kinds).toContainEqual(expect.objectContaining({ event: "trainEnd", step: 80 }));
    expect(kinds.at(-1)?.event).toBe("evaluate");
  });

  it("evaluates the adapter as the training run did", async () => {
    const { status, stdout } = await run("eval", "out", "dev.tsv", "--threads", "1", "--json");
    expect(status).toBe(0);
    const trained = JSON.parse(await readFile(join(folder, "result.json"), "utf8"));
    const { metrics, rows } = JSON.parse(stdout);
    expect(rows).toBe(12);
    expect(metrics.accuracy).toBe(1);
    expect(metrics.loss).toBeCloseTo(trained.eval.eval_loss, 5);
    const table = await run("eval", "out", "dev.tsv", "--threads", "1", "--metrics", "accuracy,f1");
    expect(table.stdout).toMatch(/^accuracy +1$/m);
    expect(table.stdout).toMatch(/^f1 +1$/m);
  });

  it("predicts one text, a file, and JSON lines with probabilities that add up to 1", async () => {
    const one = await run("predict", "out", "the film is great", "--threads", "1");
    expect(one.stdout.split("\n")[2]).toMatch(/^up +\d+\.\d\d %$/);
    await writeFile(join(folder, "texts.csv"), 'review,n\n"the film is good, great",1\nthe film is awful,2\n');
    const { stdout, status } = await run("predict", "out", "texts.csv", "--text-column", "review", "--json");
    expect(status).toBe(0);
    const [first, second] = jsonLines(stdout);
    expect(first?.input).toBe("the film is good, great");
    expect(first?.labels[0]?.label).toBe("up");
    expect(second?.labels[0]).toMatchObject({ label: "down", id: 0 });
    expect(first?.labels.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 6);
    const top = await run("predict", "out", "poor", "--top-k", "1", "--json");
    expect(jsonLines(top.stdout)[0]?.labels).toHaveLength(1);
    const dash = await run("predict", "out", "--json", "--", "-poor", "--great");
    expect(jsonLines(dash.stdout).map(({ input }) => input)).toEqual(["-poor", "--great"]);
  });

  it.each([
    ["IA3", ["--ia3", "targets=key,value,feedforward=value"]],
    ["BITFIT", ["--method", "bitfit"]],
    ["PFEIFFER", ["--pfeiffer", "reduction=4"]],
    ["PROMPT_TUNING", ["--prompt-tuning", "num_virtual_tokens=3"]],
  ])("trains and uses an adapter of %s", async (type, flags) => {
    const output = type.toLowerCase();
    const data = ["--model", "bert", "--train", "train.tsv", "--output", output, "--max-steps", "2", "--threads", "1"];
    const trained = await run("train", ...data, ...flags, "--json");
    expect(trained.stderr).not.toContain("error");
    expect(trained.status).toBe(0);
    expect(JSON.parse((await run("inspect", output, "--json")).stdout).config.peft_type).toBe(type);
    expect(jsonLines((await run("predict", output, "poor", "--json")).stdout)).toHaveLength(1);
  });

  it("merges into a folder that predicts the same", async () => {
    const { status, stdout } = await run("merge", "out", "merged");
    expect(status).toBe(0);
    expect(stdout).toContain("merged out into bert: merged");
    const [before] = jsonLines((await run("predict", "out", "the film is fine", "--json")).stdout);
    const [after] = jsonLines((await run("predict", "merged", "the film is fine", "--json")).stdout);
    expect(after?.labels[0]?.label).toBe(before?.labels[0]?.label);
    expect(after?.labels[0]?.probability).toBeCloseTo(before?.labels[0]?.probability ?? 0, 5);
    const again = await run("merge", "out", "merged");
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("--overwrite");
  });

  it("inspects the adapter, the merged model and the base with a LoRA config", async () => {
    const adapter = JSON.parse((await run("inspect", "out", "--json")).stdout);
    expect(adapter).toMatchObject({ kind: "adapter", config: { r: 4, base_model_name_or_path: "bert" } });
    const trained = JSON.parse(await readFile(join(folder, "result.json"), "utf8"));
    expect(adapter.totals.elements).toBe(trained.parameters.trainable);
    const counted = JSON.parse(
      (await run("inspect", "bert", "--lora", "r=4,alpha=8", "--num-labels", "2", "--json")).stdout,
    );
    expect(counted.adapter).toMatchObject(trained.parameters);
    const merged = await run("inspect", "merged");
    expect(merged.stdout).toContain("BertForSequenceClassification (bert)");
    expect(merged.stdout).toMatch(/^labels +2: down, up$/m);
    const file = await run("inspect", "out/adapter_model.safetensors");
    expect(file.stdout).toContain("metadata format");
    expect(file.stdout).toContain("base_model.model.classifier.weight");
  });

  it("repeats a run to the bit with the same seed", async () => {
    const args = [
      "--model",
      "bert",
      "--train",
      "train.tsv",
      "--lora",
      "r=4,alpha=8",
      "--max-steps",
      "3",
      "--threads",
      "1",
    ];
    for (const output of ["same1", "same2"]) await run("train", ...args, "--output", output, "--lora-dropout", "0.2");
    const [a, b] = await Promise.all(
      ["same1", "same2"].map((output) => readFile(join(folder, output, "adapter_model.safetensors"))),
    );
    expect(a?.equals(b as Buffer)).toBe(true);
  });
});

describe("a run that is resumed otherwise", () => {
  const args = (...more: string[]) => [
    "train",
    "--model",
    "bert",
    "--train",
    "train.tsv",
    "--output",
    "resumed",
    ...more,
  ];
  const steps = ["--threads", "1", "--max-steps", "2", "--save-steps", "1"];

  it("is warned of by name, and refused for other labels", async () => {
    expect((await run(...args(...steps, "--max-length", "8"))).status).toBe(0);
    const resume = ["--resume", "resumed/checkpoint-1", ...steps];
    const same = await run(...args(...resume, "--max-length", "8"));
    expect(same.stderr).not.toContain("warning");
    const changed = await run(...args(...resume, "--lora-alpha", "4", "--adam-beta2", "0.9"));
    expect(changed.status).toBe(0);
    expect(changed.stderr).toContain("other settings: lora_alpha (4, was 8), max_length (not set, was 8); the run");
    expect(changed.stderr).toContain("--adam-beta2 (0.9, was 0.999)");
    const relabelled = await run(...args(...resume, "--max-length", "8", "--labels", "up,down"));
    expect(relabelled.stderr).toContain("was trained for down, up, and this run is for up, down");
    expect(relabelled.status).toBe(1);
  });
});

describe("a base whose config is of another problem", () => {
  it.each(["regression", "multi_label_classification"])("%s: the run's own problem counts", async (problem) => {
    const base = join(folder, problem);
    await textModel(base);
    const config = JSON.parse(await readFile(join(base, "config.json"), "utf8"));
    await writeFile(join(base, "config.json"), JSON.stringify({ ...config, problem_type: problem }));
    const output = `out-${problem}`;
    const args = ["train", "--model", problem, "--train", "train.tsv", "--output", output, ...fast];
    const trained = await run(...args, "--problem-type", "single_label_classification");
    expect(trained.stderr).not.toContain("error");
    expect(trained.status).toBe(0);
    const scored = await run("eval", output, "dev.tsv", "--threads", "1", "--json");
    expect(JSON.parse(scored.stdout).metrics.accuracy).toBe(1);
    const [predicted] = jsonLines((await run("predict", output, "the film is great", "--json")).stdout);
    expect(predicted?.labels[0]).toMatchObject({ label: "up" });
  });
});

describe("pictures", () => {
  it("trains with augmentation from a run file and predicts a folder", async () => {
    await writeFile(
      join(folder, "run.yaml"),
      `model: vit
output: none
data: { train: pictures, test: pictures, transforms: augment }
lora: { r: 4, lora_alpha: 8 }
training: { learning_rate: 0.02, num_train_epochs: 10, save_strategy: "no", per_device_train_batch_size: 4 }
threads: 1
`,
    );
    const trained = await run("train", "run.yaml", "--output", "images", "--json");
    expect(trained.stderr).toContain(
      "newly initialised, because the shapes differ: classifier.weight [3,32] -> [2,32]",
    );
    expect(trained.status).toBe(0);
    expect(existsSync(join(folder, "none"))).toBe(false);
    expect(JSON.parse(trained.stdout).test.test_accuracy).toBe(1);
    expect(existsSync(join(folder, "images/preprocessor_config.json"))).toBe(true);
    // What the run did to pictures is the default of an evaluation.
    await mkdir(join(folder, "striped/red"), { recursive: true });
    const red = { width: 30, height: 30, channels: 3, background: "red" } as const;
    const striped = sharp({ create: red }).extend({ left: 40, background: "blue" });
    await striped.png().toFile(join(folder, "striped/red/0.png"));
    const lossWith = async (...args: string[]) =>
      JSON.parse((await run("eval", "images", "striped", "--threads", "1", "--json", ...args)).stdout).metrics.loss;
    expect(await lossWith()).toBe(await lossWith("--transforms", "augment"));
    expect(await lossWith()).not.toBe(await lossWith("--transforms", "resize"));
    const { stdout } = await run("predict", "images", "pictures/red", "--json");
    const scored = jsonLines(stdout);
    expect(scored).toHaveLength(8);
    expect(new Set(scored.map(({ labels }) => labels[0]?.label))).toEqual(new Set(["red"]));
    const { stdout: table } = await run("predict", "images", "pictures/blue/0.png", "--top-k", "1");
    expect(table).toMatch(/^blue +\d/m);
  });
});
