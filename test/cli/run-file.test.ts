import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isMap, parseDocument } from "yaml";
import { addRunFlags, readRun, settingsOfLoraLine } from "#graft/cli/run-file/flags";
import { userSpelling } from "#graft/cli/spelling/spelling";
import { LoraConfig } from "#graft/peft/index";
import { platform } from "#graft/platform/node";
import { dataOptions } from "#graft/runs/data/options";
import { sectionNames, sections } from "#graft/runs/definition/fields";
import { readRunFile } from "#graft/runs/definition/read";
import { runOf } from "#graft/runs/definition/run";
import { tableOptions } from "#graft/tasks/text-classification";
import { trainingArgumentFields } from "#graft/training/arguments/index";

const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "graft-run-"));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(text: string): Promise<string> {
  const path = join(folder, "run.yaml");
  await writeFile(path, text);
  return path;
}

/** The run that a command line means. */
async function runOfFlags(args: readonly string[], file?: string) {
  const command = new Command().exitOverride();
  addRunFlags(command, sectionNames);
  command.parse(args, { from: "user" });
  return readRun(file, command.opts(), sectionNames);
}

describe("run files", () => {
  it("the annotated example names every key there is, and only those", async () => {
    const document = parseDocument(await platform.readText(join(examples, "run-all-options.yaml")));
    for (const section of sectionNames) {
      const map = section === "" ? document.contents : document.get(section);
      const keys = isMap(map) ? map.items.map(({ key }) => String(key)) : [];
      const expected = [...Object.keys(sections[section]), ...(section === "" ? ["data", "lora", "training"] : [])];
      expect(keys.sort()).toEqual(expected.sort());
    }
  });

  for (const name of readdirSync(examples).filter((file) => file.endsWith(".yaml"))) {
    it(`${name} is valid`, async () => {
      expect((await readRunFile(join(examples, name))).length).toBeGreaterThan(5);
    });
  }

  it("gives values in sections, and takes empty values for not given", async () => {
    const path = await fileOf(
      "model: m\ndata: {train: a.tsv, text_column: 0, eval: }\nlora:\n  target_modules: [q, v]\n",
    );
    expect(runOf(await readRunFile(path))).toEqual({
      model: "m",
      data: { train: "a.tsv", text_column: 0 },
      lora: { target_modules: ["q", "v"] },
      training: {},
    });
  });

  it("an empty file is an empty run", async () => {
    expect(await readRunFile(await fileOf("# nothing yet\n"))).toEqual([]);
  });

  it("refuses an unknown key although it has no value, and a key that stands twice", async () => {
    await expect(readRunFile(await fileOf("lora:\n  rank:\n"))).rejects.toMatchObject({ code: "invalid-config" });
    await expect(readRunFile(await fileOf("model: a\nmodel: b\n"))).rejects.toMatchObject({ code: "invalid-yaml" });
    await expect(readRunFile(await fileOf("data: file.csv\n"))).rejects.toMatchObject({ code: "invalid-config" });
  });

  it("takes transformers' old names", async () => {
    const run = runOf(await readRunFile(await fileOf("training:\n  evaluation_strategy: epoch\n")));
    expect(run.training).toEqual({ evaluation_strategy: "epoch" });
  });
});

describe("flags", () => {
  it("win over the file", async () => {
    const path = await fileOf("model: m\ntraining: {learning_rate: 1, seed: 3}\n");
    const run = await runOfFlags(["--learning-rate", "2e-3", "--model", "n"], path);
    expect(run).toMatchObject({ model: "n", training: { learning_rate: 0.002, seed: 3 } });
  });

  it("are numbers, lists, switches and words as the key wants them", async () => {
    const args = ["--target-modules", "query,value", "--labels", "1,2", "--text-column", "3", "--max-steps", "-1"];
    const run = await runOfFlags([
      ...args,
      "--no-header",
      "--load-best-model-at-end",
      "--init-lora-weights",
      "gaussian",
    ]);
    expect(run).toEqual({
      labels: ["1", "2"],
      data: { header: false, text_column: 3 },
      lora: { target_modules: ["query", "value"], init_lora_weights: "gaussian" },
      training: { max_steps: -1, load_best_model_at_end: true },
    });
  });

  it("take a tab as a shell passes it on, and as it is", async () => {
    const delimiter = async (text: string) =>
      tableOptions(dataOptions((await runOfFlags(["--delimiter", text])).data)).delimiter;
    for (const text of ["\\t", "\t"]) expect(await delimiter(text)).toBe("\t");
    expect(await delimiter(";")).toBe(";");
    await expect(delimiter(";;")).rejects.toThrow("--delimiter ;;");
  });

  it("take transformers' old names, as run files do", async () => {
    const run = await runOfFlags(["--warmup-ratio", "0.1", "--group-by-length", "--evaluation-strategy", "epoch"]);
    expect(run.training).toEqual({ warmup_ratio: 0.1, group_by_length: true, evaluation_strategy: "epoch" });
  });

  it("one target is a name, all-linear and patterns are themselves", async () => {
    const targets = async (text: string) => (await runOfFlags(["--target-modules", text])).lora.target_modules;
    expect(await targets("query")).toEqual(["query"]);
    expect(await targets("all-linear")).toBe("all-linear");
    expect(await targets(".*\\.(query|value)")).toBe(".*\\.(query|value)");
  });

  it("--lora takes a config on one line", () => {
    expect(runOf(settingsOfLoraLine("r=16,alpha=32,dropout=0.1,targets=query,value,rslora=true")).lora).toEqual({
      r: 16,
      lora_alpha: 32,
      lora_dropout: 0.1,
      target_modules: ["query", "value"],
      use_rslora: true,
    });
  });
});

describe("messages in the user's spelling", () => {
  const message = 'evalStrategy is "no"; set maxSteps or outputDir. bias and "evalStrategy" and a/evalStrategy stay';

  it("are flags, or keys where a run file says so and no flag does", () => {
    expect(userSpelling(message, ["train", "--max-steps", "3"])).toBe(
      '--eval-strategy is "no"; set --max-steps or --output. bias and "evalStrategy" and a/evalStrategy stay',
    );
    expect(userSpelling(message, ["train", "run.yaml", "--max-steps=3"])).toBe(
      'eval_strategy is "no"; set --max-steps or output. bias and "evalStrategy" and a/evalStrategy stay',
    );
  });

  it("keep values as a run file writes them", () => {
    expect(userSpelling('e.g. targetModules: ["query"]. Keep warmupSteps: it is new.', [])).toBe(
      'e.g. target_modules: ["query"]. Keep --warmup-steps: it is new.',
    );
  });

  it("know every option of the library", () => {
    for (const name of [...Object.keys(trainingArgumentFields), ...Object.keys(LoraConfig.options)]) {
      expect(userSpelling(`${name} is wrong`, []), name).not.toMatch(/[a-z][A-Z]/);
    }
  });
});
