import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { prepareRun } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { graft, textModel, workFolder } from "./graft.js";

let folder: string;
const at = (name: string): string => join(folder, name);

/** Labels that are names (1, 2, 3) and class numbers (0, 1, 2) at once. */
const files = { "train.csv": [1, 2, 2, 1], "eval.csv": [0, 2, 1], "test.csv": [1, 2], "third.csv": [1, 3] };

beforeAll(async () => {
  folder = await workFolder();
  await textModel(at("bert"));
  for (const [name, labels] of Object.entries(files)) {
    await writeFile(at(name), ["text,label", ...labels.map((label, row) => `the film ${row},${label}`)].join("\n"));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const idsOf = (data: { readonly examples: readonly unknown[] } | undefined) =>
  data?.examples.map((example) => (example as { readonly label?: unknown }).label);

async function idsOfRun(data: Readonly<Record<"train", string> & Partial<Record<"eval" | "test", string>>>) {
  const run = {
    model: at("bert"),
    output: at("out"),
    labels: ["1", "2", "3"],
    data: Object.fromEntries(Object.entries(data).map(([key, name]) => [key, at(name)])) as typeof data,
    methods: { lora: { r: 2 } },
    training: { maxSteps: 1 },
    threads: 1,
  };
  const prepared = await prepareRun(run, { onInfo: () => {} });
  await prepared.model.dispose();
  const { train, evaluation, test, settings } = prepared;
  return { ids: [train, evaluation, test].map(idsOf), labelsAre: settings.labelsAre };
}

describe("labels that are names and class numbers at once", () => {
  it("have one reading in all files of a run: names, unless one file holds what is a number alone", async () => {
    expect(await idsOfRun({ train: "train.csv", test: "test.csv" })).toEqual({
      ids: [[0, 1, 1, 0], undefined, [0, 1]],
      labelsAre: "names",
    });
    expect(await idsOfRun({ train: "train.csv", eval: "eval.csv", test: "test.csv" })).toEqual({
      ids: [
        [1, 2, 2, 1],
        [0, 2, 1],
        [1, 2],
      ],
      labelsAre: "numbers",
    });
  });

  it("are refused where one file can be names alone and another numbers alone", async () => {
    await expect(idsOfRun({ train: "train.csv", eval: "eval.csv", test: "third.csv" })).rejects.toMatchObject({
      code: "invalid-label",
      message: expect.stringContaining("third.csv:3"),
    });
  });

  it("are read by `graft eval` as the adapter's training read them", async () => {
    const args = ["train", "--model", "bert", "--labels", "1,2,3", "--lora", "r=2", "--max-steps", "2", "--json"];
    const data = ["--train", "train.csv", "--eval", "eval.csv", "--test", "test.csv", "--output", "run"];
    const trained = await graft(folder, [...args, ...data, "--threads", "1", "--learning-rate", "0.05"]);
    expect(trained.status, trained.stderr).toBe(0);
    expect(trained.stderr.match(/labels are read as class numbers from 0, not as the names 1, 2, 3/g)).toHaveLength(1);
    expect(JSON.parse(await readFile(at("run/graft.json"), "utf8"))).toMatchObject({ labels_are: "numbers" });
    const { test } = JSON.parse(trained.stdout) as { readonly test: { readonly test_loss: number } };
    // By names the two rows of test.csv would be other classes, and the loss another one.
    const again = await graft(folder, ["eval", "run", "test.csv", "--json", "--threads", "1"]);
    expect(JSON.parse(again.stdout).metrics.loss, again.stderr).toBeCloseTo(test.test_loss, 5);
    const named = await graft(folder, ["eval", "run", "test.csv", "--labels", "1,2,3", "--json", "--threads", "1"]);
    expect(Math.abs(JSON.parse(named.stdout).metrics.loss - test.test_loss)).toBeGreaterThan(1e-3);
    const third = await graft(folder, ["eval", "run", "third.csv", "--threads", "1"]);
    expect(third.stderr).toContain("third.csv:3");
    expect(third.status).toBe(1);
  });
});
