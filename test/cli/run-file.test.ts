import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isMap, parseDocument } from "yaml";
import * as z from "zod";
import { addRunFlags, plainSections, readRun } from "#graft/cli/run-file/flags";
import { addMethodLines, settingsOfLine } from "#graft/cli/run-file/method-lines";
import { userSpelling } from "#graft/cli/spelling/spelling";
import { trainCommand } from "#graft/cli/train";
import { option } from "#graft/options/option-table";
import { configClass, registerTuner, type Tuner } from "#graft/peft/index";
import { platform } from "#graft/platform/node";
import { dataOptions } from "#graft/runs/data/options";
import { methodOf } from "#graft/runs/definition/method";
import { readRunFile } from "#graft/runs/definition/read";
import { runOf } from "#graft/runs/definition/run";
import { keysOf, sections } from "#graft/runs/definition/sections";
import { tableOptions } from "#graft/tasks/text-classification";

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
  const names = plainSections().map(({ name }) => name);
  addMethodLines(command);
  addRunFlags(command, { sections: names });
  command.parse(args, { from: "user" });
  return readRun(file, command.opts(), names);
}

describe("run files", () => {
  it("the annotated example names every key of a run and of the methods that it shows, and only those", async () => {
    const document = parseDocument(await platform.readText(join(examples, "run-all-options.yaml")));
    // graft train --help lists the other methods.
    const all = sections().filter(({ name, isMethod }) => !isMethod || document.has(name));
    const headings = all.map(({ name }) => name).filter((name) => name !== "");
    expect(headings).toEqual(expect.arrayContaining(["data", "lora", "ia3", "training"]));
    for (const section of all) {
      const map = section.name === "" ? document.contents : document.get(section.name);
      const keys = isMap(map) ? map.items.map(({ key }) => String(key)) : [];
      const expected = [...keysOf(section), ...(section.name === "" ? headings : [])];
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
      data: { train: "a.tsv", textColumn: 0 },
      methods: { lora: { targetModules: ["q", "v"] } },
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
    expect(run.training).toEqual({ evaluationStrategy: "epoch" });
  });
});

describe("flags", () => {
  it("win over the file", async () => {
    const path = await fileOf("model: m\ntraining: {learning_rate: 1, seed: 3}\n");
    const run = await runOfFlags(["--learning-rate", "2e-3", "--model", "n"], path);
    expect(run).toMatchObject({ model: "n", training: { learningRate: 0.002, seed: 3 } });
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
      data: { header: false, textColumn: 3 },
      methods: { lora: { targetModules: ["query", "value"], initLoraWeights: "gaussian" } },
      training: { maxSteps: -1, loadBestModelAtEnd: true },
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
    expect(run.training).toEqual({ warmupRatio: 0.1, groupByLength: true, evaluationStrategy: "epoch" });
  });

  it("one target is a name, all-linear and patterns are themselves", async () => {
    const targets = async (text: string) => (await runOfFlags(["--target-modules", text])).methods.lora?.targetModules;
    expect(await targets("query")).toEqual(["query"]);
    expect(await targets("all-linear")).toBe("all-linear");
    expect(await targets(".*\\.(query|value)")).toBe(".*\\.(query|value)");
  });

  it("that take lists may be given several times", async () => {
    const run = await runOfFlags(["--metrics", "accuracy", "--metrics", "f1", "--labels", "a,b", "--labels", "c"]);
    expect(run).toMatchObject({ metrics: ["accuracy", "f1"], labels: ["a", "b", "c"] });
  });

  it("take a column whatever its name", async () => {
    for (const name of ["true", "text", "null"]) {
      expect((await runOfFlags(["--text-column", name])).data.textColumn).toBe(name);
    }
  });
});

describe("methods", () => {
  it("take their options on one line, by key or by a word of it", () => {
    expect(runOf(settingsOfLine("lora", "r=16,alpha=32,dropout=0.1,targets=query,value,rslora=true")).methods).toEqual({
      lora: { r: 16, loraAlpha: 32, loraDropout: 0.1, targetModules: ["query", "value"], useRslora: true },
    });
    expect(runOf(settingsOfLine("ia3", "feedforward=output.dense,target_modules=key,value")).methods.ia3).toEqual({
      feedforwardModules: ["output.dense"],
      targetModules: ["key", "value"],
    });
    expect(() => settingsOfLine("lora", "rank=3")).toThrow('--lora has no key "rank"');
    expect(() => settingsOfLine("lora", "use=true")).toThrow('--lora has no key "use"');
  });

  it("are named by a flag, by their line, or by the only section of a run file", async () => {
    const name = async (args: string[], text?: string) =>
      methodOf(await runOfFlags(args, text === undefined ? undefined : await fileOf(text))).name;
    expect(await name([])).toBe("lora");
    expect(await name(["--method", "bitfit"])).toBe("bitfit");
    expect(await name(["--ia3", "targets=key"])).toBe("ia3");
    expect(await name([], "bitfit:\n")).toBe("bitfit");
    expect(await name([], "method: ia3\nlora: {r: 4}\nia3: {target_modules: [key]}\n")).toBe("ia3");
    expect(await name(["--method", "lora"], "lora: {r: 4}\nia3: {target_modules: [key]}\n")).toBe("lora");
    await expect(name([], "lora: {r: 4}\nia3: {target_modules: [key]}\n")).rejects.toMatchObject({
      code: "invalid-config",
      message: "the run has options of lora and ia3, and names no method",
    });
    await expect(name(["--method", "lorra"])).rejects.toMatchObject({ hint: expect.stringContaining('"lora"') });
  });

  it("refuse flags of another method, which would have no effect", async () => {
    await expect(runOfFlags(["--r", "8", "--ia3", "targets=key"])).rejects.toThrow(
      "--r is of the method lora, but the run's method is ia3",
    );
    await expect(runOfFlags(["--lora", "r=8", "--ia3", "targets=key"])).rejects.toThrow("two methods");
  });

  it("that a program registers are in help, run files and flags, without a line of the command line's own", async () => {
    const options = { strength: option("number", z.number().positive(), 2, { help: "How much of it" }) };
    const Config = configClass({ peftType: "TESTED", options, isPefts: false });
    const tested: Tuner = {
      type: "TESTED",
      name: "tested",
      help: "A method of this test",
      Config,
      inject: () => ({ merge: [], targets: [] }),
    };
    registerTuner(tested);
    let help = "";
    const command = trainCommand().configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    expect(help).toMatch(/--tested <key=value,...> +A method of this test/);
    expect(help).toMatch(/--tested\n(.*\n)* +strength +How much of it\. Default: 2/);
    expect(help).toMatch(/lora, .*, tested\. Default:/);
    expect((await runOfFlags(["--tested", "strength=3"])).methods).toEqual({ tested: { strength: 3 } });
    const run = runOf(await readRunFile(await fileOf("tested: {strength: 4}\n")));
    expect(methodOf(run)).toBe(tested);
    expect(run.methods.tested).toEqual({ strength: 4 });
    expect(userSpelling("strength is 0", "strength", ["train", "--tested", "strength=0"])).toBe(
      "--tested strength is 0",
    );
  });
});

describe("messages in the user's spelling", () => {
  const message = 'evalStrategy is "no"; set maxSteps or outputDir. bias and "evalStrategy" and a/evalStrategy stay';

  it("are flags, or keys where a run file says so and no flag does", () => {
    expect(userSpelling(message, undefined, ["train", "--max-steps", "3"])).toBe(
      '--eval-strategy is "no"; set --max-steps or --output. bias and "evalStrategy" and a/evalStrategy stay',
    );
    expect(userSpelling(message, undefined, ["train", "run.yaml", "--max-steps=3"])).toBe(
      'eval_strategy is "no"; set --max-steps or output. bias and "evalStrategy" and a/evalStrategy stay',
    );
  });

  it("write values as the command line takes them, or as the run file does", () => {
    const message =
      'e.g. targetModules: ["query", "value"]. Keep warmupSteps: it is new. allowMissing: true, dataloaderDropLast: false, maxSteps: 8.';
    expect(userSpelling(message, undefined, [])).toBe(
      "e.g. --target-modules query,value. Keep --warmup-steps: it is new. --allow-missing, --no-dataloader-drop-last, --max-steps 8.",
    );
    expect(userSpelling(message, undefined, ["train", "run.yaml"])).toBe(
      'e.g. target_modules: ["query", "value"]. Keep warmup_steps: it is new. allow_missing: true, dataloader_drop_last: false, max_steps: 8.',
    );
  });

  it("know options whose names are ordinary words by their marks", () => {
    const message = "Rename one, or set `header` to false; name the classes (`label2id`); `loss` stays.";
    expect(userSpelling(message, undefined, [])).toBe(
      "Rename one, or give --no-header; name the classes (--labels); `loss` stays.",
    );
    expect(userSpelling(message, undefined, ["train", "run.yaml"])).toBe(
      "Rename one, or set header to false; name the classes (labels); `loss` stays.",
    );
  });

  it("know every option of the library", () => {
    for (const { options } of sections()) {
      for (const name of Object.keys(options)) {
        // PEFT itself writes deltaT in camelCase.
        const spelled = userSpelling(`${name} is wrong`, undefined, []).replace("--adalora deltaT", "");
        expect(spelled, name).not.toMatch(/[a-z][A-Z]/);
      }
    }
  });

  it("tell an option from an ordinary word by what the error is about", () => {
    expect(userSpelling("r is 0; bias is a word", "r", [])).toBe("--r is 0; bias is a word");
    expect(userSpelling("r is 0", undefined, [])).toBe("r is 0");
  });

  it("name an option of another method by its line", () => {
    const message = "targetModules match no module";
    expect(userSpelling(message, undefined, ["train", "--ia3", "targets=x"])).toContain("--ia3 target_modules match");
    expect(userSpelling(message, undefined, ["train", "--method", "ia3"])).toContain("--ia3 target_modules match");
    expect(userSpelling(message, undefined, ["train"])).toContain("--target-modules match");
  });
});
