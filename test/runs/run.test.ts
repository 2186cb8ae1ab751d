import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type CompleteRun, executeRun, prepareRun } from "graft-peft";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { textModel, workFolder, writeTable } from "../cli/graft.js";

let folder: string;
let run: CompleteRun;

beforeAll(async () => {
  folder = await workFolder();
  await textModel(join(folder, "bert"));
  await writeTable(join(folder, "train.tsv"), 24);
  run = {
    model: join(folder, "bert"),
    output: join(folder, "out"),
    threads: 1,
    data: { train: join(folder, "train.tsv"), eval: join(folder, "train.tsv"), test: join(folder, "train.tsv") },
    methods: { lora: { r: 4, loraAlpha: 8 } },
    training: { learningRate: 0.02, maxSteps: 60, saveStrategy: "no" },
  };
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a run as a value", () => {
  it("trains, saves and evaluates without a terminal, and tells only those who listen", async () => {
    const told: string[] = [];
    const steps: number[] = [];
    const prepared = await prepareRun(run, { onInfo: (line) => told.push(line), onWarning: (line) => told.push(line) });
    expect(await readdir(run.output)).toEqual([]);
    try {
      const result = await executeRun(prepared, {
        callbacks: [{ onStepEnd: ({ state }) => void steps.push(state.globalStep) }],
      });
      expect(result.output.stopReason).toBe("completed");
      expect(steps).toHaveLength(60);
      expect(result.scores?.eval_accuracy).toBe(1);
      expect(result.tests?.test_accuracy).toBe(1);
      expect(result.int8Scores).toBeUndefined();
      expect(result.folder).toBe(run.output);
      const config = JSON.parse(await readFile(join(run.output, "adapter_config.json"), "utf8"));
      expect(config).toMatchObject({ r: 4, lora_alpha: 8, task_type: "SEQ_CLS" });
      expect(existsSync(join(run.output, "tokenizer.json"))).toBe(true);
      expect(told.join("\n")).toContain("classifier");
    } finally {
      await prepared.model.dispose();
    }
  });

  it("takes a filled output folder only where it is told to", async () => {
    await expect(prepareRun(run)).rejects.toMatchObject({ code: "invalid-argument" });
    const prepared = await prepareRun(run, { overwrite: true, onInfo: () => {} });
    await prepared.model.dispose();
  });
});
