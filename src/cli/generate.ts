import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import { Command, Option } from "commander";
import { AutoTokenizer } from "../data/index.js";
import { GraftError } from "../errors.js";
import { type TextGenerationOptions, TextGenerator } from "../generation/index.js";
import { holds } from "../hub/index.js";
import { AutoModelForCausalLM, type FromPretrainedOptions } from "../models/index.js";
import { AdapterFolder, AutoPeftModelForCausalLM } from "../peft/index.js";
import { requireModel } from "../runs/models/source.js";
import { countFlag } from "./run-file/flags.js";
import { withExamples } from "./shell/examples.js";
import { note, print, printJson, warn } from "./shell/print.js";
import { UsageError } from "./spelling/usage-error.js";

/** A flag's value; undefined where it was not given. */
type Reader = (flag: string, text: string) => number | boolean | "never";

function numberFlag(flag: string, text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new UsageError(`${flag} ${text}`, `${flag} takes a number.`);
}

/** Flags that are options of generation: name, value in help, what it says, how it is read. */
const options = [
  ["maxNewTokens", "<n>", "most new tokens of a text (default: generation_config.json's, or 20)", countFlag],
  ["minNewTokens", "<n>", "fewest new tokens of a text", numberFlag],
  ["doSample", "", "draw tokens by their probability instead of taking the likeliest", () => true],
  ["temperature", "<t>", "below 1 makes likely tokens likelier, above 1 less so", numberFlag],
  ["topK", "<k>", "draw among the k likeliest tokens alone; 0: among all", numberFlag],
  ["topP", "<p>", "draw among the likeliest tokens that together have the probability p", numberFlag],
  ["minP", "<p>", "draw among tokens at least p times as likely as the likeliest", numberFlag],
  ["repetitionPenalty", "<x>", "above 1 makes tokens that were there less likely", numberFlag],
  ["noRepeatNgramSize", "<n>", "no n tokens in a row occur twice; 0: they may", numberFlag],
  ["numBeams", "<n>", "beams of a beam search", countFlag],
  ["lengthPenalty", "<x>", "of beams: above 0 favours long texts", numberFlag],
  ["earlyStopping", "", "of beams: end as soon as there are as many texts as beams", () => true],
  ["numReturnSequences", "<n>", "texts for each prompt", countFlag],
  ["seed", "<n>", "decides what is drawn (default: 0)", numberFlag],
] as const satisfies readonly (readonly [key: string, value: string, help: string, read: Reader])[];

const flagName = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

interface GenerateFlags {
  readonly [key: string]: string | boolean | readonly string[] | undefined;
  readonly file?: string;
  readonly interactive?: boolean;
  readonly stop?: readonly string[];
  readonly json?: boolean;
  readonly model?: string;
  readonly backend?: string;
  readonly threads?: string;
  readonly batchSize?: string;
}

function generationOptions(flags: GenerateFlags): TextGenerationOptions {
  const given = options.flatMap(([key, , , read]) => {
    const text = flags[key];
    return text === undefined ? [] : [[key, read(flagName(key), String(text))]];
  });
  return { ...Object.fromEntries(given), ...(flags.stop && { stopStrings: flags.stop }) };
}

const backends = ["cpu", "webgpu", "cuda", "wasm"] as const;

function engineOptions({ backend, threads }: GenerateFlags): FromPretrainedOptions {
  const known = backends.find((name) => name === backend);
  if (backend !== undefined && known === undefined) {
    throw new UsageError(`--backend ${backend}`, `--backend takes ${backends.join(", ")}.`);
  }
  return { ...(known && { backend: known }), ...(threads && { threads: countFlag("--threads", threads) }) };
}

/** A language model with its tokenizer, and the adapter that the folder is of. */
async function open(folder: string, flags: GenerateFlags) {
  const engine = engineOptions(flags);
  if (!(await holds(folder, "adapter_config.json"))) {
    await requireModel(folder);
    if (flags.model !== undefined) {
      throw new UsageError(
        `--model ${flags.model}`,
        `${folder} is a model: leave --model out, or name an adapter first.`,
      );
    }
    const model = await AutoModelForCausalLM.fromPretrained(folder, engine);
    return { model, tokenizer: await AutoTokenizer.fromPretrained(folder) };
  }
  const base = flags.model ?? (await (await AdapterFolder.open(folder)).baseModel());
  const model = await AutoPeftModelForCausalLM.fromPretrained(folder, { ...engine, baseModel: base, onWarning: warn });
  const tokens = (await holds(folder, "tokenizer.json")) ? folder : base;
  return { model, tokenizer: await AutoTokenizer.fromPretrained(tokens) };
}

/** The prompts of the arguments and of the file, one a line there. */
async function promptsOf(given: readonly string[], file: string | undefined): Promise<string[]> {
  if (file === undefined) return [...given];
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch {
    throw new GraftError("file-not-found", `${file} cannot be read`, "Name a text file with a prompt a line.");
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length === 0) throw new GraftError("empty-dataset", `${file} holds no prompt`, "Write one a line.");
  return [...given, ...lines];
}

/** Writes one prompt and what follows it, as it is made. */
async function stream(generator: TextGenerator, prompt: string, given: TextGenerationOptions): Promise<void> {
  let isFirst = true;
  for await (const piece of generator.stream(prompt, given)) {
    // Not before something follows it: a refusal stands alone.
    process.stdout.write(isFirst ? prompt + piece : piece);
    isFirst = false;
  }
  process.stdout.write(isFirst ? `${prompt}\n` : "\n");
}

/** Reads prompts from the terminal until it ends; Ctrl-C ends a text, or, where none is made, the program. */
async function converse(generator: TextGenerator, given: TextGenerationOptions): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: process.stdin.isTTY });
  note("A prompt a line; Ctrl-C ends a text, an empty line or Ctrl-D ends.");
  lines.setPrompt("> ");
  lines.prompt();
  let making: AbortController | undefined;
  lines.on("SIGINT", () => (making ? making.abort() : lines.close()));
  for await (const line of lines) {
    if (line.trim() === "") break;
    making = new AbortController();
    try {
      for await (const piece of generator.stream(line, { ...given, signal: making.signal }))
        process.stdout.write(piece);
    } catch (error) {
      if (!(error instanceof GraftError) || error.code !== "aborted") throw error;
    }
    making = undefined;
    process.stdout.write("\n");
    lines.prompt();
  }
  lines.close();
}

async function run(folder: string, given: readonly string[], flags: GenerateFlags): Promise<void> {
  const settings = generationOptions(flags);
  const prompts = await promptsOf(given, flags.file);
  const batchSize = countFlag("--batch-size", flags.batchSize ?? "8");
  if (flags.interactive === true && prompts.length > 0) {
    throw new UsageError("--interactive and prompts", "Leave the prompts out: they are typed then.");
  }
  if (flags.interactive !== true && prompts.length === 0) {
    throw new UsageError("no prompt", "Give texts, --file with a prompt a line, or --interactive.");
  }
  const { model, tokenizer } = await open(folder, flags);
  const generator = new TextGenerator(model, tokenizer);
  try {
    if (flags.interactive === true) return await converse(generator, settings);
    const isOne = prompts.length === 1 && (settings.numBeams ?? 1) === 1 && (settings.numReturnSequences ?? 1) === 1;
    if (isOne && !flags.json) return await stream(generator, prompts[0] as string, settings);
    for (let start = 0; start < prompts.length; start += batchSize) {
      for (const { prompt, text, score } of await generator.generate(
        prompts.slice(start, start + batchSize),
        settings,
      )) {
        if (flags.json) printJson({ prompt, text, ...(score !== undefined && { score }) });
        else print(prompt + text);
      }
    }
  } finally {
    await model.dispose();
  }
}

/** `graft generate` */
export function generateCommand(): Command {
  const command = new Command("generate")
    .description("Lets a language model go on with texts: one, those of a file, or those that are typed.")
    .argument("<folder>", "adapter folder, or model folder")
    .argument("[prompts...]", "texts to go on with")
    .addOption(new Option("--file <path>", "a text file with a prompt a line"))
    .addOption(new Option("--interactive", "read prompts from the terminal, a line each"));
  for (const [key, value, help] of options) command.addOption(new Option(`${flagName(key)} ${value}`.trim(), help));
  command
    .addOption(new Option("--stop <text...>", "texts at which an answer ends, which are cut off"))
    .addOption(new Option("--batch-size <rows>", "prompts in a batch").default("8"))
    .addOption(new Option("--json", "print one JSON object a line for each text"))
    .addOption(new Option("--model <folder>", "base model of an adapter, where its own note is not to be followed"))
    .addOption(new Option("--backend <name>", `what computes: ${backends.join(", ")}`))
    .addOption(new Option("--threads <n>", "threads of the CPU"))
    .action((folder: string, prompts: string[], flags: GenerateFlags) => run(folder, prompts, flags));
  return withExamples(command, [
    ['graft generate models/gpt2 "Once upon a time" --max-new-tokens 40', "One prompt, told as it is made"],
    ["graft generate runs/stories --file prompts.txt --do-sample --top-p 0.9 --json", "A file, as JSON lines"],
    ["graft generate runs/e2e --file inputs.txt --num-beams 10 --length-penalty 0.9 --no-repeat-ngram-size 4", "Beams"],
    ["graft generate runs/stories --interactive", "Prompts that are typed"],
  ]);
}
