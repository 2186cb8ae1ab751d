import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CompleteRun, PromptTuningConfig, prepareRun } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAdapter, openSource } from "#graft/runs/models/open";
import { resolveSource } from "#graft/runs/models/source";
import { promptTokens } from "#graft/runs/training/prompt-text";
import { textModel, workFolder } from "../cli/graft.js";

let folder: string;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bare"));
  await textModel(join(folder, "head"), "bert_seqcls");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Changes a model's config.json. */
async function configure(name: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const path = join(folder, name, "config.json");
  await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, "utf8")), ...changes }));
}

async function prepare(model: string, lines: readonly string[], more: Partial<CompleteRun> = {}) {
  await writeFile(join(folder, "train.csv"), ["text,label", ...lines].join("\n"));
  const told: string[] = [];
  const run: CompleteRun = {
    model: join(folder, model),
    output: join(folder, "out"),
    data: { train: join(folder, "train.csv") },
    methods: { lora: { r: 2 } },
    training: { maxSteps: 1 },
    threads: 1,
    ...more,
  };
  const prepared = await prepareRun(run, { overwrite: true, onInfo: (line) => told.push(line) });
  await prepared.model.dispose();
  const { problemType, labels } = prepared.settings;
  const ids = prepared.train.examples.map((example) => (example as { label?: unknown }).label);
  return { problemType, names: Object.values(labels?.id2label ?? {}), ids, told: told.join("\n") };
}

const names = async (model: string): Promise<string[]> => {
  const { id2label } = JSON.parse(await readFile(join(folder, model, "config.json"), "utf8"));
  return Object.values(id2label);
};

describe("what a run learns", () => {
  it("is values where labels have fractions, or where config.json says so", async () => {
    const shown = await prepare("bare", ["the film,0.5", "is good,2"]);
    expect(shown).toMatchObject({ problemType: "regression", names: [], ids: [0.5, 2] });
    expect(shown.told).toContain("labels such as 0.5 are values");
    await textModel(join(folder, "values"), "bert_regression");
    await configure("values", { problem_type: "regression" });
    const said = await prepare("values", ["the film,1", "is good,2"]);
    expect(said).toMatchObject({ problemType: "regression", ids: [1, 2] });
    expect(said.told).toContain("problem type regression, as the model's config.json says");
    await expect(prepare("values", ["a,1", "b,2"], { labels: ["x", "y"] })).rejects.toThrow(/the run is a regression/);
    const overruled = await prepare("values", ["a,1", "b,0"], { problemType: "single_label_classification" });
    expect(overruled).toMatchObject({ problemType: "single_label_classification", ids: [1, 0] });
  });

  it("is several labels where config.json says so", async () => {
    await textModel(join(folder, "several"), "bert_multilabel");
    await configure("several", { problem_type: "multi_label_classification" });
    const [first, second, ...rest] = await names("several");
    const found = await prepare("several", [`the film,${first}|${second}`, `is good,${second}`]);
    expect(found.problemType).toBe("multi_label_classification");
    expect(found.ids).toEqual([
      [1, 1, ...rest.map(() => 0)],
      [0, 1, ...rest.map(() => 0)],
    ]);
  });

  it("keeps the head and the order of its classes where the names are the same, whatever their case", async () => {
    const own = await names("head");
    await configure("head", {
      id2label: Object.fromEntries(own.map((_, id) => [id, `CLASS ${own.length - id}`])),
      label2id: undefined,
    });
    const lines = own.map((_, id) => `the film,class ${id + 1}`);
    const kept = await prepare("head", lines);
    expect(kept.names).toEqual(own.map((_, id) => `CLASS ${own.length - id}`));
    expect(kept.ids).toEqual(own.map((_, id) => own.length - 1 - id));
    expect(kept.told).toContain("head and the order of its classes are kept");
    const other = await prepare(
      "head",
      own.map((_, id) => `the film,other ${id}`),
    );
    expect(other.told).toContain("the file's head is of other classes");
  });
});

describe("a file with more layers than config.json names", () => {
  it("is read, and that is told", async () => {
    await textModel(join(folder, "cut"), "bert_seqcls");
    await configure("cut", { num_hidden_layers: 1 });
    const told: string[] = [];
    const { model } = await openSource(await resolveSource(join(folder, "cut")), {
      onWarning: (line) => told.push(line),
    });
    await model.dispose();
    expect(told.join()).toMatch(/cut holds layers that its config\.json leaves out: .*layer\.1\./);
  });
});

describe("a prompt that begins with a text", () => {
  it("begins with the tokens of the text, special ones among them", async () => {
    const prompt = {
      promptTuningInit: "TEXT",
      promptTuningInitText: "good film",
      tokenizerNameOrPath: join(folder, "bare"),
    };
    const config = new PromptTuningConfig({ ...prompt, numVirtualTokens: 4 } as ConstructorParameters<
      typeof PromptTuningConfig
    >[0]);
    // [CLS] good film [SEP], as PEFT's `tokenizer(text)["input_ids"]`.
    expect(await promptTokens(config)).toEqual([2, 4, 10, 3]);
    expect(await promptTokens(new PromptTuningConfig({ numVirtualTokens: 4 }))).toBeUndefined();
  });
});

describe("a model with tensors of no file", () => {
  it("is not opened to predict, but where that is said", async () => {
    const source = await resolveSource(join(folder, "bare"));
    await expect(openSource(source, { onWarning: () => {} })).rejects.toMatchObject({
      code: "missing-tensor",
      message: expect.stringContaining("classifier.weight"),
      hint: expect.stringContaining("allowMissing"),
    });
    const { model } = await openSource(source, { allowMissing: true, onWarning: () => {} });
    await model.dispose();
    await expect(openAdapter(source)).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
