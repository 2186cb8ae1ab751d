import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError } from "commander";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { evalCommand } from "#graft/cli/eval";
import { exportCommand } from "#graft/cli/export";
import { generateCommand } from "#graft/cli/generate";
import { mergeCommand } from "#graft/cli/merge";
import { predictCommand } from "#graft/cli/predict";
import { usageOf } from "#graft/cli/program";
import { addRunFlags, plainSections, readRun } from "#graft/cli/run-file/flags";
import { addMethodLines, settingsOfLine } from "#graft/cli/run-file/method-lines";
import { attributeOf } from "#graft/cli/run-file/values";
import { reportOf } from "#graft/cli/shell/errors";
import { generationFlags } from "#graft/cli/spelling/generation-flags";
import { flagOf, userSpelling } from "#graft/cli/spelling/spelling";
import { settle } from "#graft/generation/options";
import { keyOf } from "#graft/options/option-table";
import { checkedSetting } from "#graft/runs/definition/read";
import { keysOf, sections } from "#graft/runs/definition/sections";
import { adapterConfig } from "#graft/runs/training/adapter";
import { TrainingArguments } from "#graft/training/index";

/** What hardly any option takes, as a command line gives it. */
const badTexts = ["", "nonsense", "-1", "0", "1.5", "1e99", "null", "true", "[", "{}", '{"a": 1}', "a,,b", "(", "-x"];
/** The same as a run file or a program gives it. */
const badValues = ["", "nonsense", -1, 0, 1.5, 1e99, Number.NaN, true, [], [""], [-1], {}, { a: -1 }, { "(": 1 }, "("];

/** Names that nobody who types commands has seen. PEFT itself writes deltaT in camelCase. */
const camelNames = new Set(
  [
    ...sections().flatMap(({ options }) => Object.keys(options)),
    ...generationFlags.map(([name]) => name),
    "outputDir",
    "resumeFromCheckpoint",
    "textPair",
    "stopStrings",
  ].filter((name) => /[A-Z]/.test(name) && name !== "deltaT"),
);

const camelIn = (text: string): string[] =>
  (text.match(/\b[a-z]+[A-Z]\w*/g) ?? []).filter((name) => camelNames.has(name));

const said: string[] = [];

/** What the command line says where something throws, which must have no camelCase name; null where nothing does. */
async function complaint(act: () => unknown, argv: readonly string[]): Promise<string | null> {
  try {
    await act();
    return null;
  } catch (error) {
    const { code, message, hint } = reportOf(error instanceof CommanderError ? usageOf(error, argv) : error, argv);
    const text = `${message}\n${hint}`;
    expect(code, `${argv.join(" ")}: ${text}`).not.toBe("unexpected");
    expect(camelIn(text), `${argv.join(" ")}: ${text}`).toEqual([]);
    said.push(text);
    return text;
  }
}

/** A verb whose faults are thrown. */
function silent(command: Command): Command {
  return command.exitOverride().configureOutput({ outputError: () => {}, writeErr: () => {}, writeOut: () => {} });
}

function trainFlags(): Command {
  const command = silent(new Command());
  addMethodLines(command);
  addRunFlags(command, { sections: plainSections().map(({ name }) => name) });
  return command;
}

describe("bad values in the words of the command line", () => {
  it("of every flag of training", async () => {
    for (const section of plainSections()) {
      for (const key of [...keysOf(section), ...section.oldKeys]) {
        for (const text of badTexts) {
          const argv = ["train", `${flagOf(key)}=${text}`];
          const names = plainSections().map(({ name }) => name);
          const act = () => readRun(undefined, trainFlags().parse(argv.slice(1), { from: "user" }).opts(), names);
          const told = await complaint(act, argv);
          if (told !== null) expect(told).toContain(flagOf(key));
        }
      }
    }
  });

  it("of every key of every method's line", async () => {
    for (const section of sections().filter(({ isMethod }) => isMethod)) {
      for (const key of keysOf(section)) {
        for (const text of badTexts.filter((one) => !one.includes(","))) {
          const line = `${key}=${text}`;
          const told = await complaint(() => settingsOfLine(section.name, line), ["train", flagOf(section.name), line]);
          if (told !== null) expect(told).toContain(`${flagOf(section.name)} ${key}`);
        }
      }
    }
  });

  it("of every key of a run file", async () => {
    for (const section of sections()) {
      for (const key of keysOf(section)) {
        for (const value of badValues) {
          const told = await complaint(() => checkedSetting("run.yaml:3", section, key, value), ["train", "run.yaml"]);
          if (told !== null) expect(told).toContain(key);
        }
      }
    }
  });

  it("of every option that the library itself refuses", async () => {
    for (const section of sections()) {
      for (const [field, option] of Object.entries(section.options)) {
        for (const value of badValues) {
          const argv = ["train", section.isMethod ? `--method=${section.name}` : "--task=x"];
          const raw = { [field]: value };
          if (section.isMethod) {
            const run = { method: section.name, methods: { [section.name]: raw } };
            await complaint(() => adapterConfig(run, "text-classification", () => {}), argv);
          } else if (section.name === "training") {
            await complaint(() => new TrainingArguments({ outputDir: "out", ...raw }), argv);
          }
        }
        expect(camelIn(userSpelling(`${option.help}. ${option.expected}`, field, ["train"]))).toEqual([]);
      }
    }
  });

  it("of every flag of the other verbs", async () => {
    const verbs: readonly [command: () => Command, args: readonly string[]][] = [
      [evalCommand, ["nowhere", "gone.csv"]],
      [predictCommand, ["nowhere", "a text"]],
      [mergeCommand, ["nowhere", "out"]],
      [exportCommand, ["nowhere", "out"]],
      [generateCommand, ["nowhere", "a text"]],
    ];
    for (const [verb, args] of verbs) {
      const { options } = verb();
      for (const { long, required, optional } of options) {
        for (const text of required || optional ? badTexts : [undefined]) {
          const word = text === undefined ? String(long) : `${long}=${text}`;
          const command = silent(verb());
          const argv = [command.name(), ...args, word];
          if (word.startsWith("--help") || word.startsWith("--model=")) continue;
          // There is no such model: where the flag is in order, that is said.
          expect(await complaint(() => command.parseAsync([...args, word], { from: "user" }), argv)).not.toBeNull();
        }
        expect(attributeOf(String(long))).toBeTruthy();
      }
    }
  });

  it("of every option of generation", async () => {
    for (const [name] of generationFlags) {
      for (const value of badValues) {
        await complaint(() => settle({ [name]: value }, []), ["generate", "folder", "a text"]);
      }
    }
    const together = [{ numReturnSequences: 3 }, { numReturnSequences: 3, numBeams: 2 }];
    for (const options of together) expect(await complaint(() => settle(options, []), ["generate"])).not.toBeNull();
  });

  it("says enough for this to have been a test", () => {
    expect(new Set(said).size).toBeGreaterThan(500);
  });
});

/** The text of a literal or of a template; what it fills in is "0". */
function textOf(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (!ts.isTemplateExpression(node)) return undefined;
  return node.head.text + node.templateSpans.map(({ literal }) => `0${literal.text}`).join("");
}

describe("sentences of the library", () => {
  it("name every option so that the command line can translate it", () => {
    const source = fileURLToPath(new URL("../../src/", import.meta.url));
    const left: string[] = [];
    let sentences = 0;
    for (const name of readdirSync(source, { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts")) continue;
      const file = ts.createSourceFile(name, readFileSync(join(source, name), "utf8"), ts.ScriptTarget.Latest, true);
      const visit = (node: ts.Node): void => {
        const text = textOf(node);
        if (text !== undefined && /[a-z] [a-z]/.test(text)) {
          sentences++;
          // The sentences of generation reach `graft generate` alone.
          for (const verb of name.startsWith("generation/") ? ["generate"] : ["train", "generate"]) {
            const rest = camelIn(userSpelling(text, undefined, [verb]));
            if (rest.length > 0) left.push(`${name}: ${rest.join(", ")} in ${text}`);
          }
        }
        ts.forEachChild(node, visit);
      };
      visit(file);
    }
    expect(left).toEqual([]);
    expect(sentences).toBeGreaterThan(1000);
  });

  it("of generation name its own flags, and what only files hold by the name that it has there", () => {
    const argv = ["generate", "folder", "a text"];
    expect(userSpelling("Set doSample, or numBeams.", "numReturnSequences", argv)).toBe(
      "Set --do-sample, or --num-beams.",
    );
    expect(userSpelling("maxLength is 5", "maxLength", argv)).toBe("max_length is 5");
    expect(userSpelling("one of stopStrings is empty", undefined, argv)).toBe("one of --stop is empty");
    expect(userSpelling("temperature: Too small", "temperature", argv)).toBe("--temperature: Too small");
  });

  it("every key is snake_case, but for PEFT's deltaT", () => {
    const keys = sections().flatMap(({ options }) => Object.keys(options).map((field) => keyOf(options, field)));
    expect(keys.filter((key) => /[A-Z]/.test(key))).toEqual(["deltaT"]);
  });
});
