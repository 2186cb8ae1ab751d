import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSafetensors, readAllTensors } from "#graft/safetensors/read";
import { fast, graft, imageModel, textModel, workFolder, writePictures, writeTable } from "./graft.js";

let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bert"));
  await imageModel(join(folder, "vit"));
  await writeTable(join(folder, "train.tsv"), 32);
  await writeTable(join(folder, "dev.tsv"), 12);
  await writePictures(join(folder, "pictures"), 6);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]) => graft(folder, args);
const texts = ["--model", "bert", "--train", "train.tsv", "--eval", "dev.tsv"];
const once = ["--max-steps", "2", "--save-strategy", "no", "--threads", "1", "--learning-rate", "0.01"];
const tensorsIn = async (name: string, file: string) => readAllTensors(await openSafetensors(join(folder, name, file)));

const modelFiles = ["config.json", "graft.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];

describe.each(["ft", "ft-top2"])("--method %s", (method) => {
  it("writes a model's folder that evaluates, predicts and exports as one", async () => {
    const { status, stdout } = await run("train", "--method", method, ...texts, "--output", method, ...fast, "--json");
    expect(status).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ kind: "model", output: method });
    expect(result.eval.eval_accuracy).toBe(1);
    expect((await readdir(join(folder, method))).sort()).toEqual(
      [...modelFiles, "events.jsonl", "frozen_precision.json"].sort(),
    );
    const config = JSON.parse(await readFile(join(folder, method, "config.json"), "utf8"));
    expect(config).toMatchObject({
      architectures: ["BertForSequenceClassification"],
      id2label: { 0: "down", 1: "up" },
    });
    const evaluated = await run("eval", method, "dev.tsv", "--threads", "1", "--json");
    expect(JSON.parse(evaluated.stdout)).toMatchObject({
      metrics: { loss: expect.closeTo(result.eval.eval_loss, 5), accuracy: 1 },
    });
    expect((await run("predict", method, "the film is great", "--threads", "1")).stdout).toMatch(/^up /m);
    expect((await run("export", method, `${method}-onnx`)).status).toBe(0);
    const merged = await run("merge", method, "merged");
    expect([merged.status, merged.stderr]).toEqual([1, expect.stringContaining(`${method} is a model`)]);
  });

  it("changes the layers that it names and no others", async () => {
    const [before, after] = [
      await tensorsIn("bert", "model.safetensors"),
      await tensorsIn(method, "model.safetensors"),
    ];
    const changed = [...after].filter(([name, { data }]) => {
      const old = before.get(name) ?? before.get(name.replace(/^bert\./, ""));
      return old !== undefined && Buffer.compare(Buffer.from(old.data.buffer), Buffer.from(data.buffer)) !== 0;
    });
    const outside = changed.filter(([name]) => !/encoder\.layer\.\d+\./.test(name));
    expect(changed.length).toBeGreaterThan(20);
    if (method === "ft") expect(outside.map(([name]) => name)).toContain("bert.embeddings.word_embeddings.weight");
    else expect(outside).toEqual([]);
  });
});

describe("--method ft", () => {
  it("goes on from a checkpoint to the same weights", async () => {
    const args = ["train", "--method", "ft", ...texts, "--output", "resumed", "--threads", "1"];
    const steps = ["--max-steps", "6", "--save-strategy", "steps", "--save-steps", "3"];
    expect((await run(...args, ...steps)).status).toBe(0);
    const whole = await tensorsIn("resumed", "model.safetensors");
    expect((await run(...args, ...steps, "--resume", "resumed/checkpoint-3")).status).toBe(0);
    expect(await tensorsIn("resumed", "model.safetensors")).toEqual(whole);
  });

  it("replaces an adapter of an older run, whose files would be taken for the folder's", async () => {
    const { stdout } = await run("train", ...texts, "--output", "both", ...once, "--json");
    expect(JSON.parse(stdout)).toMatchObject({ kind: "adapter" });
    const again = await run("train", "--method", "ft", ...texts, "--output", "both", ...once, "--overwrite", "--json");
    expect(again.status).toBe(0);
    expect((await readdir(join(folder, "both"))).sort()).toEqual(
      [...modelFiles, "events.jsonl", "frozen_precision.json"].sort(),
    );
    const evaluated = await run("eval", "both", "dev.tsv", "--threads", "1", "--json");
    expect(JSON.parse(evaluated.stdout).metrics.loss).toBeCloseTo(JSON.parse(again.stdout).eval.eval_loss, 5);
  });

  it("takes pictures, too", async () => {
    const args = ["--model", "vit", "--train", "pictures", "--output", "seen", ...once, "--json"];
    const { status, stdout } = await run("train", "--method", "ft", ...args);
    expect(status).toBe(0);
    const { trainable, all } = JSON.parse(stdout).parameters;
    expect(trainable).toBe(all);
  });
});

describe("--method adapter-drop", () => {
  const train = (skip: string, ...more: string[]) =>
    run(
      "train",
      "--method",
      "adapter-drop",
      "--adapter-drop",
      `reduction_factor=4,skip_layers=${skip}`,
      ...texts,
      ...more,
    );
  const bottlenecks = async (name: string) =>
    [...(await tensorsIn(name, "adapter_model.safetensors")).keys()].filter((key) => key.endsWith("adapter_up.weight"));

  it("leaves the first layers out", async () => {
    expect((await train("1", "--output", "drop-1", ...fast)).status).toBe(0);
    expect(await bottlenecks("drop-1")).toEqual(["base_model.model.bert.encoder.layer.1.adapter_up.weight"]);
    expect((await run("eval", "drop-1", "dev.tsv", "--threads", "1")).stdout).toMatch(/accuracy +1\n/);
  });

  it("draws how many for each pass, so that runs with and without drawing differ", async () => {
    for (const [skip, output] of [
      ["random", "drop-random"],
      ["random", "drop-again"],
      ["0", "drop-0"],
    ] as const) {
      expect((await train(skip, "--output", output, ...once)).status).toBe(0);
      expect(await bottlenecks(output)).toHaveLength(2);
    }
    const [drawn, again, kept] = await Promise.all(
      ["drop-random", "drop-again", "drop-0"].map((name) => tensorsIn(name, "adapter_model.safetensors")),
    );
    expect(drawn).toEqual(again);
    expect(drawn).not.toEqual(kept);
  });

  it("refuses to leave all of them out", async () => {
    const { status, stderr } = await train("2", "--output", "none", ...once);
    expect(status).toBe(1);
    expect(stderr).toContain("skip_layers is 2, and the model has 2 layers");
    expect(stderr).toContain("Leave out at most 1");
  });
});

describe("--plain-lora", () => {
  const pissa = ["--lora", "r=2,alpha=4,init_lora_weights=pissa"];

  it("saves PiSSA as LoRA of twice the rank, with the same evaluation", async () => {
    const both = [...texts, ...pissa, ...once, "--json"];
    const plain = JSON.parse((await run("train", ...both, "--output", "plain", "--plain-lora")).stdout);
    const residual = JSON.parse((await run("train", ...both, "--output", "residual")).stdout);
    const config = JSON.parse(await readFile(join(folder, "plain", "adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ r: 4, lora_alpha: 8, init_lora_weights: true });
    const evaluate = async (name: string) =>
      JSON.parse((await run("eval", name, "dev.tsv", "--threads", "1", "--json")).stdout).metrics.loss;
    expect(plain.eval.eval_loss).toBe(residual.eval.eval_loss);
    expect(await evaluate("plain")).toBeCloseTo(await evaluate("residual"), 5);
  });

  it("is refused before training where nothing is taken out of the base", async () => {
    const { status, stderr } = await run("train", ...texts, "--output", "never", "--plain-lora", ...once);
    expect(status).toBe(1);
    expect(stderr).toContain("leaves them as they are");
    expect(await readdir(join(folder, "never"))).toEqual([]);
  });
});
